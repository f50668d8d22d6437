/** Names that are no UTF-8, on the command line. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { pathFromText, pathOf, textFromPath } from '../../src/bytes.ts';
import { rawWords } from '../../src/cli/raw-words.ts';
import { expectStatus, runProgram } from '../support/processes.ts';
import { cliPath, createProgram } from '../support/program.ts';

test('pathFromText() leads back from textFromPath(), for any bytes', () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.string({ unit: 'binary' }).map(text => Buffer.from(text)),
      ),
      bytes => assert.equal(pathFromText(textFromPath(pathOf(bytes))), pathOf(bytes)),
    ),
  ));

test('rawWords() asks the system only where Node has lost bytes, and believes it only where it says the same', () => {
  const never = () => assert.fail('nobody needs to ask');
  assert.deepEqual(rawWords(['full', 'é', '😀'], never), ['full', 'é', '😀']);
  const lossy = ['full', 'caf\ufffd'];
  const says = (text: string) => rawWords(lossy, () => Buffer.from(text, 'latin1'));
  assert.deepEqual(says('node\0--x\0cli.js\0full\0caf\xe9\0').map(pathFromText), ['full', 'caf\xe9']);
  assert.deepEqual(says('another title\0'), lossy);
  assert.deepEqual(
    rawWords(lossy, () => {
      throw new Error('no /proc');
    }),
    lossy,
  );
});

test('a source, a target and a path to restore may have names of any bytes', async t => {
  const program = createProgram(t);
  const at = (name: string) => Buffer.from(join(program.home, name), 'latin1');
  mkdirSync(at('caf\xe9/m\xe4rz'), { recursive: true });
  writeFileSync(at('caf\xe9/m\xe4rz/\xff 1'), 'one');
  // A shell makes the bytes: Node itself gives a program only text.
  const script = `cd "$HOME"; source=$(printf 'caf\\351'); target="file://$HOME/$(printf 'z\\374rich')"
    tsbackup() { "$NODE" "$CLI" "$@"; }
    tsbackup full --no-encryption "$source" "$target" && tsbackup verify --compare-data "$target" "$source" &&
    tsbackup restore -r "$(printf 'm\\344rz')" "$target" "$(printf 'out\\377')"`;
  const env = { ...program.env, NODE: process.execPath, CLI: cliPath };
  const run = expectStatus(await runProgram('sh', ['-c', script], { env }));
  assert.match(run.stdout, /^Verify complete: 3 files compared, 0 differences found\.$/m);
  const caches = readdirSync(join(program.home, '.cache', 'tsbackup'));
  const url = Buffer.from(`file://${program.home}/z\xfcrich`, 'latin1');
  assert.deepEqual(
    caches,
    [createHash('md5').update(url).digest('hex')],
    'of the bytes: no other name has it',
  );
  assert.equal(readFileSync(at('out\xff/\xff 1'), 'utf8'), 'one');
});
