/** Completion scripts and the manual page, tried with the programs that read them. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { actions } from '../../src/cli/actions.ts';
import { completionFor } from '../../src/cli/completion.ts';
import { manPage } from '../../src/cli/man-page.ts';
import { options } from '../../src/cli/options.ts';
import { BackupError } from '../../src/errors.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

test('bash completes actions, options of the action, files and profiles', t => {
  if (!needTool(t, 'bash')) return;
  const home = tempDir(t);
  mkdirSync(join(home, '.config', 'tsbackup'), { recursive: true });
  writeFileSync(join(home, '.config', 'tsbackup', 'pics.toml'), '');
  const complete = (...words: string[]) => {
    const script = `${completionFor('bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tsbackup; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { PATH: process.env.PATH!, HOME: home, TSBACKUP_SYSTEM_CONFIG: join(home, 'etc') };
    const text = execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', env, cwd: home });
    return text.split('\n').filter(word => word !== '');
  };
  assert.deepEqual(complete('tsbackup', 'rest'), ['restore']);
  assert.deepEqual(complete('tsbackup', 'full', '--vol'), ['--volsize']);
  assert.deepEqual(complete('tsbackup', 'restore', '--vol'), [], 'that is an option of backups');
  assert.deepEqual(complete('tsbackup', 'full', '--archive-dir', ''), [], 'bash itself completes files');
  assert.deepEqual(complete('tsbackup', '--archive-dir', 'x', 'resto'), ['restore']);
  assert.deepEqual(complete('tsbackup', '--volsize', '=', '5', '--progress', 'resto'), ['restore']);
  assert.deepEqual(complete('tsbackup', '--name', 'full', 'resto'), ['restore']);
  assert.deepEqual(complete('tsbackup', 'source', 'resto'), [], 'that is a backup, and a file');
  assert.deepEqual(complete('tsbackup', 'schedule', ''), ['install', 'remove', 'show']);
  assert.deepEqual(complete('tsbackup', 'config', '--json', 'sc'), ['schema']);
  assert.deepEqual(complete('tsbackup', 'config', 'check', 'pi'), ['pics']);
  assert.deepEqual(complete('tsbackup', 'completion', 'f'), ['fish']);
  assert.deepEqual(complete('tsbackup', 'run', 'pi'), ['pics']);
  assert.deepEqual(complete('tsbackup', 'restore', '--profile', 'pic'), ['pics']);
});

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`${shell} finds nothing wrong with its completion script`, t => {
    if (!needTool(t, shell)) return;
    const file = join(tempDir(t), 'script');
    writeFileSync(file, completionFor(shell));
    assert.equal(execFileSync(shell, ['-n', file], { encoding: 'utf8', stdio: 'pipe' }), '');
  });
}

test('zsh takes its script from a file that it reads, with and without its completions, and from $fpath', t => {
  if (!needTool(t, 'zsh')) return;
  const home = tempDir(t);
  const file = join(home, '_tsbackup');
  writeFileSync(file, completionFor('zsh'));
  const zsh = (script: string) =>
    spawnSync('zsh', ['-fc', script, 'zsh', file, home], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH!, HOME: home },
    });
  const ask = 'print -r -- $_comps[tsbackup]';
  for (const script of [
    `. $1; ${ask}`,
    `autoload -U compinit; compinit -u -D; . $1; ${ask}`,
    `fpath=($2 $fpath); autoload -U compinit; compinit -u -D; ${ask}`,
  ]) {
    const { stdout, stderr } = zsh(script);
    assert.deepEqual([stdout, stderr], ['_tsbackup\n', ''], script);
  }
});

test('completionFor() has every action, and every option that is not hidden', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = completionFor(shell);
    for (const { action } of actions) assert.ok(script.includes(action), `${shell}: ${action}`);
    for (const { long, hidden } of options) {
      assert.equal(new RegExp(`(--|-l )${long}\\b`).test(script), !hidden, `${shell}: ${long}`);
    }
  }
  assert.throws(
    () => completionFor('tcsh'),
    (error: unknown) => error instanceof BackupError && error.code === 'usage',
  );
});

test('manPage() has every action and option, and is read without a warning', t => {
  const page = manPage('1.2.3', '2026-01-01');
  for (const { action } of actions) assert.ok(page.includes(`.B ${action.replaceAll('-', '\\-')}`), action);
  for (const { long, hidden } of options) {
    assert.equal(page.includes(`\\-\\-${long.replaceAll('-', '\\-')}`), !hidden, long);
  }
  assert.doesNotMatch(page, /Examples?:/, 'they are lines of their own');
  if (!needTool(t, 'groff')) return;
  const said = execFileSync('groff', ['-man', '-ww', '-z', '-Tutf8'], {
    input: page,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  assert.equal(said, '');
});
