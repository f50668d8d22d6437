/** Restores to where upper and lower case are the same: USB sticks, shares of Windows, disks of a Mac. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

const preload = fileURLToPath(new URL('../support/caseless.js', import.meta.url));

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
