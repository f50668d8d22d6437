import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { makeTemporary, putInPlace, removeTemporary } from '../../src/files/temporary.ts';
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
