/** `collection-status --file-changed` and `--show-changes-in-set` print what the real duplicity prints. */

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type Program } from '../support/program.ts';
import { duplicityGeneration, needTool } from '../support/tools.ts';

const START = 1_700_000_000;

interface Story {
  readonly program: Program;
  readonly url: string;
  /** The lists of changes are in the manifests, so these are encrypted. */
  readonly options: { readonly passphrase: string };
}

/** A full set, one that changes and deletes, and one that brings something back. */
async function tellStory(t: TestContext): Promise<Story> {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const url = `file://${join(program.home, 'target')}`;
  const options = { passphrase: 'right' };
  const write = (name: string, text: string) => writeFileSync(join(source, name), text);
  const backUp = async (day: number) =>
    expectStatus(await program.run(['--current-time', String(START + day * 86_400), source, url], options));
  mkdirSync(join(source, 'folder'), { recursive: true });
  for (const name of ['plain', 'two words', 'quote"', 'grün', 'folder/deep']) write(name, 'first');
  await backUp(0);
  write('plain', 'second, longer');
  rmSync(join(source, 'two words'));
  await backUp(1);
  write('two words', 'back');
  await backUp(2);
  return { program, url, options };
}

const histories = ['plain', 'folder/deep', 'never'];

test('the lists of changes are those that duplicity prints', async t => {
  if (!needTool(t, 'duplicity')) return;
  const { program, url, options } = await tellStory(t);
  const duplicity = createDuplicity(t);
  await duplicity.collectionStatus(url, options);
  await duplicity.verify(url, join(program.home, 'source'), options); // fills its archive cache
  // duplicity 3 ends with an error of its own for a name with a space, and shows others as bytes.
  const special = duplicityGeneration() === 0 ? ['two words', 'grün'] : [];
  const questions = [
    ...[...histories, ...special].map(path => ['--file-changed', path]),
    ...['0', '1', '2'].map(index => ['--show-changes-in-set', index]),
  ];
  for (const question of questions) {
    const theirs = await duplicity.collectionStatus(url, { ...options, args: question });
    const ours = expectStatus(await program.run(['collection-status', ...question, url], options));
    const [table] = /^Last full.*/ms.exec(theirs.stdout)!;
    const rows = table.replace(/ {3}b'(\w+)'/g, '      $1').replace(/^File: b'(.*)'$/m, 'File: $1');
    assert.equal(ours.stdout.trim(), rows.trim(), question.join(' '));
  }
});

test('a history names the sets in which a file changed, for programs too', async t => {
  const { program, url, options } = await tellStory(t);
  const result = await program.run(
    ['collection-status', '--json', '--file-changed', './two words/', url],
    options,
  );
  const items = expectStatus(result).stdout.trim().split('\n').slice(0, -1);
  assert.deepEqual(
    items.map(line => JSON.parse(line)),
    [
      { change: 'new', kind: 'full', time: START },
      { change: 'deleted', kind: 'incremental', time: START + 86_400 },
      { change: 'new', kind: 'incremental', time: START + 2 * 86_400 },
    ].map(entry => ({ type: 'change', path: 'two words', ...entry })),
  );
});

test('a file that was deleted before the newest chain began is found in the chain before', async t => {
  const { program, url, options } = await tellStory(t);
  const source = join(program.home, 'source');
  rmSync(join(source, 'plain'));
  const full = ['full', '--current-time', String(START + 3 * 86_400), source, url];
  expectStatus(await program.run(full, options));
  const ask = (path: string) => program.run(['collection-status', '--file-changed', path, url], options);
  assert.match(
    expectStatus(await ask('plain')).stdout,
    /^Total number of backup: 2$.*\bNew\n.*\bChanged\n/ms,
  );
  const never = expectStatus(await ask('Plain'));
  assert.match(never.stdout, /^Total number of backup: 0$/m);
  assert.match(never.stderr, /^Warning: no backup at the target lists the file Plain; /);
});

test('changes of all sets come newest first; a set that is not there is refused', async t => {
  const { program, url, options } = await tellStory(t);
  const all = await program.run(['collection-status', '--show-changes-in-set', '-1', url], options);
  const counts = expectStatus(all).stdout.match(/^Total number of changes: \d+$/gm);
  assert.deepEqual(
    counts?.map(line => line.split(': ')[1]),
    ['1', '2', '5'],
  );
  const tooFar = await program.run(['collection-status', '--show-changes-in-set', '3', url], options);
  assert.match(
    expectStatus(tooFar, 2).stderr,
    /^Error: the newest chain has 3 sets; .* 0 \(the newest\) to 2/,
  );
  const wrong = await program.run(['collection-status', '--show-changes-in-set', 'x', url], options);
  assert.match(expectStatus(wrong, 2).stderr, /^Error: --show-changes-in-set takes 0 for the newest set/);
});
