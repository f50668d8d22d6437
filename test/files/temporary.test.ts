import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import {
  isLeftover,
  makeTemporary,
  putInPlace,
  removeLeftovers,
  removeTemporary,
} from '../../src/files/temporary.ts';
import { replaceCalls } from '../support/node-calls.ts';
import { scratch } from './support.ts';

function folderAt(base: string) {
  return { path: '', fd: -1, base, owner: { uid: 0, gid: 0 }, lockedMode: undefined, entry: undefined };
}

const create = (place: Buffer) => writeFileSync(place, 'new', { flag: 'wx' });

test('makeTemporary() passes over names that are taken', t => {
  const base = scratch(t);
  const first = makeTemporary(folderAt(base), create);
  const number = Number(first.name.split('-').pop());
  const next = first.name.replace(/\d+$/, String(number + 1));
  writeFileSync(`${base}/${next}`, 'left by a killed run');
  const second = makeTemporary(folderAt(base), create);
  assert.deepEqual(readdirSync(base).sort(), [first.name, next, second.name].sort());
  assert.equal(readFileSync(`${base}/${next}`, 'utf8'), 'left by a killed run');
});

test('leftovers are what killed runs of this machine were making, and folders among them stay', t => {
  const base = scratch(t);
  const living = makeTemporary(folderAt(base), create).name;
  const [, machine = '', boot = ''] = living.split('-');
  const { pid: ended } = spawnSync('true');
  const nameOf = (...parts: unknown[]) => `.tsbackup-${parts.join('-')}`;
  const killed = nameOf(machine, boot, ended, 0);
  const beforeBoot = nameOf(machine, boot === '00000000' ? '11111111' : '00000000', process.pid, 7);
  const elsewhere = nameOf(machine === '00000000' ? '11111111' : '00000000', boot, ended, 0);
  assert.deepEqual(
    [living, killed, beforeBoot, elsewhere, '.tsbackup-1-2', `${killed}.jpg`].map(isLeftover),
    [false, true, true, false, false, false],
  );
  const aside = nameOf(machine, boot, ended, 1);
  mkdirSync(`${base}/${aside}`);
  for (const name of [killed, beforeBoot, elsewhere, 'own']) writeFileSync(`${base}/${name}`, '');
  removeLeftovers(base);
  removeLeftovers(`${base}/none`);
  assert.deepEqual(readdirSync(base).sort(), [living, elsewhere, aside, 'own'].sort());
});

test('putInPlace() replaces a file and an empty folder, and no other folder', t => {
  const base = scratch(t);
  for (const path of ['empty', 'full', 'full/in']) mkdirSync(`${base}/${path}`);
  writeFileSync(`${base}/file`, 'old');
  for (const name of ['file', 'empty', 'none']) {
    putInPlace(makeTemporary(folderAt(base), create), name);
    assert.equal(readFileSync(`${base}/${name}`, 'utf8'), 'new');
  }
  const left = makeTemporary(folderAt(base), create);
  assert.throws(() => putInPlace(left, 'full'), { code: 'ENOTEMPTY' });
  removeTemporary(left);
  removeTemporary(left);
  assert.deepEqual(readdirSync(base).sort(), ['empty', 'file', 'full', 'none']);
});

test('makeTemporary() leaves nothing where making fails in its middle', t => {
  const base = scratch(t);
  const make = (place: Buffer) => {
    writeFileSync(place, '');
    throw Object.assign(new Error('as some file systems do'), { code: 'EIO' });
  };
  assert.throws(() => makeTemporary(folderAt(base), make), { code: 'EIO' });
  assert.deepEqual(readdirSync(base), []);
});

/** Lets every renaming fail, as file systems do that do not take a name. */
function failRenaming(t: TestContext, code: string): void {
  replaceCalls(t, ['renameSync'], () => () => {
    throw Object.assign(new Error(`${code}: made by a test`), { code, syscall: 'rename' });
  });
}

for (const code of ['EINVAL', 'EILSEQ', 'ENOENT']) {
  test(`putInPlace() says that a file system does not take a name (${code})`, t => {
    const base = scratch(t);
    failRenaming(t, code);
    const made = makeTemporary(folderAt(base), create);
    const message = `${code}: the file system there does not take this name`;
    assert.throws(() => putInPlace(made, 'a:b'), { code, message });
  });
}

test('putInPlace() throws what the system says of a file that is gone', t => {
  const base = scratch(t);
  const made = makeTemporary(folderAt(base), create);
  removeTemporary(made);
  assert.throws(() => putInPlace(made, 'name'), { code: 'ENOENT', syscall: 'rename' });
});
