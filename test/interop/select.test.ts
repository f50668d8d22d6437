/** Random rules on random trees select what the real duplicity selects, and are refused where it refuses them. */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BackupError } from '../../src/errors.ts';
import { createSelection } from '../../src/files/select.ts';
import type { SelectionRule } from '../../src/files/select-rules.ts';
import { walk } from '../../src/files/walk.ts';
import { createDuplicity, type Duplicity } from '../support/duplicity.ts';
import { createRandom } from '../support/random.ts';
import { makeRules, makeSmallTree } from '../support/selections.ts';
import { removeTree, type Scope, tempDir } from '../support/temp-dir.ts';
import { duplicityGeneration, needTool } from '../support/tools.ts';

const cases = Number(process.env.TSBACKUP_SELECT_CASES ?? (process.env.CI === 'true' ? 320 : 80));
const firstSeed = Number(process.env.TSBACKUP_FIRST_SEED ?? 1);
const CASES_PER_TREE = 10;

/** What is selected, in order, a line each; or the exit status with which the rules are refused. */
type Outcome = { readonly selected: string } | { readonly refused: number };

test(`${cases} random rule sets select what duplicity selects`, async t => {
  if (!needTool(t, 'duplicity')) return;
  const duplicity = createDuplicity(t);
  const takesEmpty = duplicityGeneration() === 0; // regular expressions
  let refused = 0;
  for (let seed = firstSeed; seed < firstSeed + cases / CASES_PER_TREE; seed++) {
    await t.test(`tree ${seed}`, async scope => {
      const random = createRandom(`selection ${seed}`);
      const folder = lowerCaseDir(scope as Scope);
      const root = join(folder, 's');
      mkdirSync(root);
      const tree = makeSmallTree(root, random);
      for (let left = CASES_PER_TREE; left > 0; left--) {
        const typed = random.pick(['s', 's', 's', 's', './s/', root, '.']);
        const source = typed === './s/' ? 's' : typed;
        const { rules, args } = makeRules(random, { tree, source, listFolder: folder });
        if (!takesEmpty && args.some(arg => arg.endsWith('-regexp='))) continue;
        const cwd = typed === '.' ? root : folder;
        const theirs = await selectedByDuplicity(duplicity, [typed, `file://${folder}/target`, ...args], cwd);
        assert.deepEqual(selectedByUs(root, rules, typed), theirs, JSON.stringify([typed, ...args]));
        if ('refused' in theirs) refused++;
      }
    });
  }
  t.diagnostic(`${refused} of them refused`);
  assert.ok(refused < cases / 2);
});

/** duplicity refuses an `ignorecase:` pattern with a path that has capitals; ours takes it. */
function lowerCaseDir(scope: Scope): string {
  const folder = join(tempDir(scope), '..', `tsb-select-${process.pid}`);
  mkdirSync(folder, { mode: 0o700 });
  scope.after(() => removeTree(folder));
  return folder;
}

async function selectedByDuplicity(duplicity: Duplicity, args: string[], cwd: string): Promise<Outcome> {
  const options = ['--dry-run', '-v5', '--no-print-statistics', '--no-encryption'];
  const { status, stdoutBytes } = await duplicity.run(['full', ...args, ...options], { cwd });
  if (status !== 0) return { refused: status ?? -1 };
  const lines = stdoutBytes.toString('latin1');
  return { selected: lines.slice(lines.indexOf('\nA .\n') + 1) };
}

function selectedByUs(root: string, rules: readonly SelectionRule[], source: string): Outcome {
  let selected = '';
  try {
    for (const items of walk(root, createSelection(rules, source))) {
      for (const { entry } of items) selected += entry ? `A ${entry.path || '.'}\n` : '';
    }
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'usage') throw error;
    return { refused: Number(error.facts.duplicityExit) };
  }
  return { selected };
}
