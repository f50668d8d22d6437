/** A command line with a profile behind it: what of the profile counts, and where. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { optionNames } from '../../src/cli/options.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { loadProfile } from '../../src/profiles/profile.ts';
import { type Scope, tempDir } from '../support/temp-dir.ts';

/** Parses command lines that may name the profile `p`, which lies in `folder`. */
function withProfile(t: Scope, ...lines: readonly string[]) {
  const folder = tempDir(t);
  const file = join(folder, 'p.toml');
  writeFileSync(file, ['source = "/src"', 'target = "file:///target"', ...lines].join('\n'));
  const background = {
    environment: {},
    async loadProfile(name: string) {
      assert.equal(name, 'p');
      return loadProfile(file, { names: optionNames }, {});
    },
  };
  const parse = async (...argv: string[]) => (await parseCommandLine(argv, '1.0.0', () => {}, background))!;
  return { folder, parse };
}

test('a profile gives source and URL; where a restore goes is always typed', async t => {
  const { parse } = withProfile(t);
  const places = async (...argv: string[]) => (await parse(...argv, '--profile', 'p')).arguments;
  assert.deepEqual(await places('full'), ['/src', 'file:///target']);
  assert.deepEqual(await places('restore', 'out'), ['file:///target', 'out']);
  assert.deepEqual(await places('restore', 'file:///other', 'out'), ['file:///other', 'out']);
  assert.deepEqual(await places('verify'), ['file:///target', '/src']);
  assert.deepEqual(await places('verify', 'out'), ['file:///target', 'out']);
  assert.deepEqual(await places('remove-older-than', '1Y'), ['1Y', 'file:///target']);
  for (const options of [[], ['--in-place', '--delete'], ['--force']]) {
    await assert.rejects(places('restore', ...options), /missing required argument 'DIR'/);
  }
  await assert.rejects(places('remove-older-than'), /missing required argument 'TIME'/);
  await assert.rejects(places('replicate'), /missing required argument 'URL2'/);
});
