/** What can't be read, or vanishes, in a folder that is stored only for what was chosen in it. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { replaceCalls } from '../support/node-calls.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { haveTool } from '../support/tools.ts';

/** A full backup of all notes in a tree. */
async function makeSetting(t: TestContext) {
  const base = tempDir(t);
  const source = join(base, 'source');
  for (const folder of ['docs/closed', 'docs/open', 'alone/closed'])
    mkdirSync(join(source, folder), { recursive: true });
  for (const file of ['docs/closed/note', 'docs/open/note', 'alone/closed/note'])
    writeFileSync(join(source, file), file);
  const archive = createTestArchive(base);
  const chosen = snapshotTree(source);
  for (const file of ['docs/among them', 'alone/log']) writeFileSync(join(source, file), '');
  const pattern = (include: boolean, text: string) => ({ kind: 'pattern' as const, include, pattern: text });
  const backUp = () => {
    archive.host.set(archive.host.now() + 1000);
    archive.host.clear();
    return archive.backup(source, { selection: [pattern(true, '**/note'), pattern(false, '**')] });
  };
  assert.equal(await backUp(), 0);
  let restored = 0;
  const without = ({ path }: { path: string }) => ['docs', 'alone'].includes(path); // whose times have changed
  /** Both programs must restore all notes. */
  const restoreAll = async () => {
    const out = join(base, `out ${++restored}`);
    assert.equal(await archive.restore(out), 0);
    assertSameTree(snapshotTree(out), chosen, { without });
    if (!haveTool('duplicity')) return;
    await createDuplicity(t).restore(archive.url, `${out} by duplicity`);
    assertSameTree(snapshotTree(`${out} by duplicity`), chosen, { without });
  };
  return { source, backUp, restoreAll, output: archive.host.output };
}

function failCalls(t: TestContext, call: string, path: string, code: string): void {
  replaceCalls(t, [call], original => (...given) => {
    if (String(given[0]) !== path) return original(...given);
    throw Object.assign(new Error(`${code}: made by a test`), { code, syscall: call });
  });
}

for (const [what, path] of [
  ['beside others', 'docs/closed'],
  ['alone', 'alone/closed'],
] as const) {
  test(`what can't be read in the folders of chosen files, ${what}, stays in the chain`, async t => {
    const { source, backUp, restoreAll, output } = await makeSetting(t);
    failCalls(t, 'readdirSync', join(source, path), 'EACCES');
    assert.equal(await backUp(), 3);
    assert.match(output(), /^DeltaEntries 0$/m);
    await restoreAll();
  });
}

test('what vanishes before a chosen file does not take its folder with it', async t => {
  const { source, backUp, restoreAll, output } = await makeSetting(t);
  failCalls(t, 'lstatSync', join(source, 'docs/among them'), 'ENOENT');
  assert.equal(await backUp(), 3);
  assert.match(output(), /^DeltaEntries 0$/m);
  await restoreAll();
});
