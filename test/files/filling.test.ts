import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type TestContext, test } from 'node:test';
import { removeLeftovers } from '../../src/files/temporary.ts';
import { createTreeWriter, type TreeWriterOptions, type WriteProblem } from '../../src/files/write.ts';
import { replaceCalls } from '../support/node-calls.ts';
import { entry, pathsOf, scratch } from './support.ts';

const folderEntry = (path: string) => entry(path, { type: 'directory' });

function createWriter(t: TestContext, options: Partial<TreeWriterOptions> = {}) {
  const target = `${scratch(t)}/target`;
  const problems: WriteProblem[] = [];
  const writer = createTreeWriter(target, { onProblem: problem => problems.push(problem), ...options });
  writer.begin(folderEntry(''));
  return {
    target,
    problems,
    close: () => writer.close(),
    folder: (path: string) => writer.begin(folderEntry(path)),
    file(path: string, content = Buffer.from(path)) {
      writer.begin(entry(path, { type: 'file' }));
      writer.data(content);
      writer.finish();
    },
    /** What is there under a name of its own. */
    named: () => pathsOf(target).filter(path => !path.includes('.tsbackup-')),
    hidden: () => readdirSync(target).filter(name => name.startsWith('.tsbackup-')),
  };
}

test('a new folder gets its name when all that belongs in it is there', t => {
  const { folder, file, close, named, hidden, problems } = createWriter(t);
  folder('a');
  file('a/1');
  folder('a/b');
  file('a/b/2');
  assert.deepEqual(named(), ['']);
  assert.equal(hidden().length, 1);
  file('c');
  const all = ['', 'a', 'a/1', 'a/b', 'a/b/2', 'c'];
  assert.deepEqual(named(), all);
  folder('d');
  file('d/3');
  assert.deepEqual(named(), all);
  close();
  assert.deepEqual([named(), hidden(), problems], [[...all, 'd', 'd/3'], [], []]);
});

test('a folder that the archive does not describe is filled in the same way', t => {
  const { file, close, named, problems } = createWriter(t);
  file('a/b/1');
  assert.deepEqual(named(), ['']);
  close();
  assert.deepEqual(named(), ['', 'a', 'a/b', 'a/b/1']);
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['a', 'a/b'],
  );
});

test('a folder gets its name early where a killed run would lose much', t => {
  const { folder, file, close, named, target } = createWriter(t);
  folder('many');
  for (let number = 1; number < 999; number++) file(`many/${number}`);
  assert.deepEqual(named(), ['']);
  file('many/999');
  assert.equal(named().length, 1001);
  file('many/later');
  assert.equal(readFileSync(`${target}/many/later`, 'utf8'), 'many/later');
  folder('many/next');
  file('many/next/file');
  assert.equal(named().length, 1002);
  folder('deep');
  for (let number = 1; number < 999; number++) folder(`deep/${number}`);
  assert.equal(named().length, 1004);
  folder('deep/999');
  assert.equal(named().length, 2004);
  folder('much');
  file('much/small');
  assert.equal(named().length, 2004);
  file('much/video', Buffer.alloc(64 * 1024 * 1024));
  assert.equal(named().length, 2007);
  close();
});

test('nothing is replaced that took a folder’s place meanwhile, and the folder stays beside', t => {
  for (const make of [
    (place: string) => mkdirSync(place),
    (place: string) => writeFileSync(place, 'somebody’s'),
    (place: string) => symlinkSync('nowhere', place),
  ]) {
    const { folder, file, close, hidden, problems, target } = createWriter(t);
    folder('a');
    file('a/1');
    make(`${target}/a`);
    close();
    const [name = ''] = hidden();
    assert.equal(readFileSync(`${target}/${name}/1`, 'utf8'), 'a/1');
    assert.deepEqual(problems, [
      {
        ...{ path: 'a', systemCode: 'EEXIST', restored: false, attribute: undefined },
        message: `EEXIST: something else took its place; what was restored of it is beside, as ${name}`,
      },
    ]);
    renameSync(`${target}/${name}`, `${target}/${name.replace(/-\d+-(\d+)$/, `-${endedProcess()}-$1`)}`);
    removeLeftovers(target);
    assert.equal(hidden().length, 1);
  }
});

test('a folder that can’t get its name early gets it when it is left', t => {
  const { folder, file, close, named, hidden, problems } = createWriter(t);
  replaceCalls(t, ['renameSync'], original => (from, to) => {
    // As servers do: not while something in it is open.
    const isFolder = lstatSync(from as Buffer).isDirectory();
    const isOpen = readdirSync('/proc/self/fd').some(fd => {
      const path = readOrNothing(`/proc/self/fd/${fd}`);
      return path.includes('-filling/');
    });
    if (isFolder && isOpen)
      throw Object.assign(new Error('EBUSY: busy'), { code: 'EBUSY', syscall: 'rename' });
    return original(from, to);
  });
  folder('a');
  folder('a/deep');
  for (let number = 0; number < 2500; number++) file(`a/deep/${number}`);
  assert.deepEqual(named(), ['']);
  close();
  assert.deepEqual([named().length, hidden(), problems], [2503, [], []]);
});

function readOrNothing(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

test('what a killed run was filling is removed by the next one', t => {
  const { folder, file, hidden, target, problems, close } = createWriter(t);
  folder('a');
  file('a/1');
  folder('a/b\xff');
  file('a/b\xff/2\xfe');
  const [name = ''] = hidden();
  renameSync(
    `${target}/${name}`,
    `${target}/${name.replace(/-\d+-(\d+-filling)$/, `-${endedProcess()}-$1`)}`,
  );
  removeLeftovers(target);
  assert.deepEqual(hidden(), []);
  close();
  assert.deepEqual(
    problems.map(({ path, systemCode }) => [path, systemCode]),
    [['a', 'ENOENT']],
  );
});

test('where open folders have no paths, each thing is renamed', t => {
  const { folder, file, close, named, hidden } = createWriter(t, { fdFolder: '' });
  folder('a');
  file('a/1');
  assert.deepEqual([named(), hidden()], [['', 'a', 'a/1'], []]);
  close();
});

function endedProcess(): number {
  return spawnSync('true').pid;
}
