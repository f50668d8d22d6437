/** The version, which the launcher tells without the bundle. */

import assert from 'node:assert/strict';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tooOld, versionLine } from '../../src/cli/version.ts';
import { expectStatus, runProgram } from '../support/processes.ts';
import { cliPath, createProgram } from '../support/program.ts';

const packageFile = join(import.meta.dirname, '../../../package.json');
const { version, engines } = JSON.parse(readFileSync(packageFile, 'utf8')) as {
  version: string;
  engines: { node: string };
};

test('versionLine() answers --version alone, by the name that we are called by', () => {
  const of = (words: string[], program?: string) => versionLine(words, program, packageFile);
  assert.equal(of(['--version'], '/usr/bin/tsbackup'), `tsbackup ${version}\n`);
  assert.equal(of(['-V']), `tsbackup ${version}\n`);
  assert.equal(of(['--version'], '/usr/bin/duplicity'), 'duplicity 3.0.4\n');
  for (const words of [[], ['full', '--version'], ['--version', '-v'], ['--versions']]) {
    assert.equal(of(words), undefined);
  }
});

test('tooOld() takes the versions of Node.js that package.json takes', () => {
  assert.equal(engines.node, '^20.15 || >=22.2');
  for (const node of ['20.15.0', '20.20.2', '22.2.0', '22.20.0', '23.0.0', '26.10.0']) {
    assert.equal(tooOld(node), undefined, node);
  }
  for (const node of ['18.20.8', '20.14.9', '21.7.3', '22.1.0']) {
    assert.equal(tooOld(node), `Error: tsbackup needs Node.js 20.15, 22.2 or newer; this is ${node}.\n`);
  }
});

test('the launcher tells the version, and that of duplicity through a link of that name', async t => {
  const { home, env } = createProgram(t);
  symlinkSync(cliPath, join(home, 'duplicity'));
  for (const [path, words, told] of [
    [cliPath, ['--version'], `tsbackup ${version}\n`],
    [cliPath, ['-v0', '--version'], `tsbackup ${version}\n`],
    [join(home, 'duplicity'), ['--version'], 'duplicity 3.0.4\n'],
    [join(home, 'duplicity'), ['--archive-dir', 'a', '-V'], 'duplicity 3.0.4\n'],
  ] as const) {
    const result = await runProgram(process.execPath, [path, ...words], { env, cwd: home });
    expectStatus(result);
    assert.equal(result.stdout, told);
    assert.equal(result.stderr, '');
  }
});

test('a command line that looks like a backup and comes to none ends as any other', async t => {
  const { home, env } = createProgram(t);
  for (const [words, status] of [
    [['full', '--bogus'], 2],
    [['full', 'one', 'two', 'three'], 2],
    [['full', '--help'], 0],
    [['/absent', 'file://target'], 75],
  ] as const) {
    const result = await runProgram(process.execPath, [cliPath, ...words], { env, cwd: home });
    assert.equal(result.signal, null);
    assert.equal(result.status, status, result.stderr);
  }
});
