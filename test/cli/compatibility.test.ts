/** docs/duplicity-compatibility.md says what the program does, and misses nothing of what duplicity has. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { actions } from '../../src/cli/actions.ts';
import { foreignOptions } from '../../src/cli/foreign-options.ts';
import { options } from '../../src/cli/options.ts';
import { needTool } from '../support/tools.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

interface Generator {
  readonly duplicityOptions: readonly { readonly name: string }[];
  compatibilityPage(tables: object): string;
}

const generator = (await import(pathToFileURL(join(root, 'scripts/compatibility.mjs')).href)) as Generator;

test('the table of compatibility is what the tables of the command line make of it', () => {
  const page = generator.compatibilityPage({ actions, options, foreignOptions });
  assert.equal(readFileSync(join(root, 'docs/duplicity-compatibility.md'), 'utf8'), page, 'run npm run docs');
});

test("the table has every option of duplicity's own help", t => {
  if (!needTool(t, 'duplicity')) return;
  const help = execFileSync('duplicity', ['--help'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const named = new Set(help.match(/(?<=\s)--[a-z][a-z0-9-]*[a-z0-9](?![a-z0-9-])/g));
  assert.ok(named.size > 90, String(named.size));
  const known = new Set(generator.duplicityOptions.map(({ name }) => `--${name}`));
  const missing = [...named].filter(name => !known.has(name) && name !== '--help' && name !== '--version');
  assert.deepEqual(missing, []);
});
