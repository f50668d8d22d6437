/** Restores to where several names are one: USB sticks, shares of Windows, disks of a Mac. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

const preload = fileURLToPath(new URL('../support/caseless.js', import.meta.url));
const shortened = fileURLToPath(new URL('../support/shortened.js', import.meta.url));

test('what differs in case only is not replaced in silence where case does not matter', async t => {
  const { home, run } = createProgram(t);
  const source = join(home, 'source');
  for (const folder of ['Album', 'album', 'other']) mkdirSync(join(source, folder), { recursive: true });
  writeFileSync(join(source, 'Album', 'x'), 'upper');
  for (const name of ['x', 'y']) writeFileSync(join(source, 'album', name), 'lower');
  writeFileSync(join(source, 'Photo.JPG'), 'first');
  writeFileSync(join(source, 'photo.jpg'), 'second');
  writeFileSync(join(source, 'other', 'photo.jpg'), 'third');
  const url = `file://${home}/target`;
  expectStatus(await run(['full', source, url], { passphrase: 'x' }));

  const out = join(home, 'out');
  const caseless = { passphrase: 'x', nodeArgs: ['--import', preload] };
  for (const more of [[], ['--in-place']]) {
    const restored = expectStatus(await run(['restore', ...more, url, out], caseless), 1);
    const why = (by: string) => `EEXIST: upper and lower case are the same there, and ${by} has the place`;
    assert.deepEqual(
      restored.stderr.split('\n').filter(line => line.startsWith('Error: ')),
      [
        ...['album', 'album/x', 'album/y'].map(path => `Error: ${path} is not restored: ${why('Album')}`),
        `Error: photo.jpg is not restored: ${why('Photo.JPG')}`,
      ],
    );
    const contents = ['album/x', 'photo.jpg', 'other/photo.jpg'].map(name =>
      readFileSync(join(out, name), 'utf8'),
    );
    assert.deepEqual(contents, ['upper', 'first', 'third']);
  }

  expectStatus(await run(['restore', url, join(home, 'all')], { passphrase: 'x' }));
  assertSameTree(snapshotTree(join(home, 'all')), snapshotTree(source));
});

test('neither is an empty folder, with which everything begins', async t => {
  const { home, run } = createProgram(t);
  const source = join(home, 'source');
  for (const folder of ['Album', 'album']) mkdirSync(join(source, folder), { recursive: true });
  writeFileSync(join(source, 'album', 'x'), 'lower');
  const url = `file://${home}/target`;
  expectStatus(await run(['full', source, url], { passphrase: 'x' }));
  const caseless = { passphrase: 'x', nodeArgs: ['--import', preload] };
  const { stderr } = expectStatus(await run(['restore', url, 'out'], caseless), 1);
  for (const path of ['album', 'album/x']) assert.match(stderr, new RegExp(`^Error: ${path} is not`, 'm'));
  assert.deepEqual(readdirSync(join(home, 'out', 'album')), []);
});

test('restore --in-place --delete deletes nothing where what it restored is listed under another name', async t => {
  const { home, run } = createProgram(t);
  const source = join(home, 'source');
  mkdirSync(join(source, 'Album'), { recursive: true });
  writeFileSync(join(source, 'Album', 'Photo.JPG'), 'photo');
  const url = `file://${home}/target`;
  expectStatus(await run(['full', source, url], { passphrase: 'x' }));

  const out = join(home, 'out');
  const caseless = { passphrase: 'x', nodeArgs: ['--import', preload] };
  const restored = expectStatus(await run(['restore', '--in-place', '--delete', url, out], caseless), 1);
  const warning =
    /^Warning: Nothing is deleted in .*\/out, because Album is listed under another name there: /m;
  assert.match(restored.stderr, warning);
  assert.deepEqual(readdirSync(join(out, 'album')), ['photo.jpg']);
  assert.equal(readFileSync(join(out, 'album', 'photo.jpg'), 'utf8'), 'photo');
});

test('what FAT takes for the name of something else is not replaced in silence', async t => {
  const { home, run } = createProgram(t);
  const source = join(home, 'source');
  for (const folder of ['dir', 'dir.']) {
    mkdirSync(join(source, folder), { recursive: true });
    writeFileSync(join(source, folder, 'x'), folder);
  }
  const names = ['1', '1..', 'LONG name.txt', 'LONGNA~1.TXT', 'notes', 'notes.', 'only.', 'other~1.txt'];
  for (const name of names) writeFileSync(join(source, name), name);
  const url = `file://${home}/target`;
  expectStatus(await run(['full', source, url], { passphrase: 'x' }));

  const out = join(home, 'out');
  const shortening = { passphrase: 'x', nodeArgs: ['--import', shortened] };
  for (const more of [[], ['--in-place']]) {
    const restored = expectStatus(await run(['restore', ...more, url, out], shortening), 1);
    const why = (by: string) =>
      `EEXIST: dots at the end of a name count for nothing there, and ${by} has the place`;
    assert.deepEqual(
      restored.stderr.split('\n').filter(line => /^(Error|Warning): /.test(line)),
      [
        `Error: 1.. is not restored: ${why('1')}`,
        'Error: LONGNA~1.TXT is not restored: EEXIST: it is the short name of something else there',
        ...['dir.', 'dir./x'].map(path => `Error: ${path} is not restored: ${why('dir')}`),
        `Error: notes. is not restored: ${why('notes')}`,
        'Warning: only. is restored, but not with its name: the file system there drops the dots at its end',
      ],
    );
    assert.deepEqual(readdirSync(out).sort(), ['1', 'LONG name.txt', 'dir', 'notes', 'only', 'other~1.txt']);
    const contents = ['1', 'LONG name.txt', 'dir/x', 'notes', 'only'].map(name =>
      readFileSync(join(out, name), 'utf8'),
    );
    assert.deepEqual(contents, ['1', 'LONG name.txt', 'dir', 'notes', 'only.']);
  }
});
