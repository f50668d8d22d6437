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

test('a variable for a flag says yes or no, and nothing else', async () => {
  const parsed = async (text: string) => {
    const environment = { TSBACKUP_NO_ENCRYPTION: text };
    const background = { environment, loadProfile: () => Promise.reject(new Error('no profile')) };
    return (await parseCommandLine(['full', 'src', 'file:///t'], '1.0.0', () => {}, background))!.values;
  };
  for (const text of ['1', 'yes', 'True', 'on'])
    assert.equal((await parsed(text))['no-encryption'], true, text);
  for (const text of ['', '0', 'no', 'false', 'Off', 'off ']) {
    assert.equal((await parsed(text))['no-encryption'], undefined, text);
  }
  await assert.rejects(parsed('maybe'), /^BackupError: TSBACKUP_NO_ENCRYPTION takes yes or no, not 'maybe'$/);
});

test('what follows an option is its value, whatever it looks like', async t => {
  const { parse } = withProfile(t, '[options]', 'volsize = 7');
  const { ordered, values, profile } = await parse('full', '--exclude', '--profile', 'src', 'file:///t');
  assert.deepEqual(ordered, [{ option: 'exclude', value: '--profile' }]);
  assert.equal(profile, undefined);
  assert.equal(values.volsize, undefined);

  const named = await parse('full', '--exclude', '--volsize=3', '-v5', '--profile', 'p');
  assert.equal(named.values.volsize, 7);
  assert.equal(named.values.verbosity, 5);
  const { time } = (await parse('restore', '-t', '1D', '--exclude', '-t', 'file:///t', 'out')).values;
  assert.equal(time, '1D');
  const file = await parse('full', '--no-encryption', '--', '--profile=p', 'file:///t');
  assert.deepEqual(file.arguments, ['--profile=p', 'file:///t']);
});

test('a profile says of flags true or false, of all other options what they are', async t => {
  const { parse } = withProfile(t, '[options]', 'no-compression = true', 'skip-if-no-change = false');
  const { values } = await parse('full', '--profile', 'p');
  assert.equal(values['no-compression'], true);
  assert.equal(values['skip-if-no-change'], undefined);
  for (const [line, told] of [
    ['skip-if-no-change = "yes"', 'skip-if-no-change takes true or false, not "yes"'],
    ['no-compression = 1', 'no-compression takes true or false, not 1'],
    ['exclude-device-files = ["true"]', 'exclude-device-files takes true or false, not ["true"]'],
    ['name = true', 'name takes a value, not true'],
  ] as const) {
    const wrong = withProfile(t, '[options]', line);
    await assert.rejects(wrong.parse('backup', '--profile', 'p'), (error: Error) => {
      assert.equal(error.message, `${join(wrong.folder, 'p.toml')}: options.${told}`);
      return true;
    });
  }
});
