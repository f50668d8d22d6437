/** `--json`: every line of every command is one that docs/json.schema.json knows, and the last one is the result. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RunResult } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

const file = fileURLToPath(new URL('../../../docs/json.schema.json', import.meta.url));
const schema = JSON.parse(readFileSync(file, 'utf8')) as Schema;

/** What is wrong with a value; empty if nothing is. Knows the words that the schema uses. */
function faultsOf(
  value: unknown,
  { type, properties = {}, required = [], items, ...rest }: Schema,
  at = '',
): string[] {
  const { anyOf, enum: choices } = rest;
  if ('const' in rest && value !== rest.const) return [`${at} is not ${String(rest.const)}`];
  if (choices && !choices.includes(value))
    return [`${at} is ${String(value)}, not one of ${choices.join(', ')}`];
  if (anyOf) return anyOf.some(one => faultsOf(value, one).length === 0) ? [] : [`${at} is of no known kind`];
  const isOfType = {
    object: typeof value === 'object' && value !== null && !Array.isArray(value),
    array: Array.isArray(value),
    integer: Number.isInteger(value),
    number: typeof value === 'number',
    string: typeof value === 'string',
    boolean: typeof value === 'boolean',
    null: value === null,
  }[type ?? 'object'];
  if (type && !isOfType) return [`${at} is no ${type}: ${JSON.stringify(value)}`];
  if (Array.isArray(value))
    return items ? value.flatMap((one, i) => faultsOf(one, items, `${at}[${i}]`)) : [];
  if (type !== 'object') return [];
  const fields = value as Record<string, unknown>;
  return [
    ...required.filter(name => fields[name] === undefined).map(name => `${at}.${name} is missing`),
    ...Object.entries(properties).flatMap(([name, one]) =>
      fields[name] === undefined ? [] : faultsOf(fields[name], one, `${at}.${name}`),
    ),
  ];
}

type Line = Readonly<Record<string, unknown>> & { readonly type: string };

function linesOf({ stdout, stderr }: RunResult): Line[] {
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line);
  for (const line of lines) {
    const own = schema.oneOf!.find(({ properties }) => properties!.type!.const === line.type);
    assert.ok(own, `a line of type ${line.type} is not in the schema`);
    assert.deepEqual(faultsOf(line, own, line.type), [], JSON.stringify(line));
  }
  assert.equal(lines.filter(({ type }) => type === 'result').length, 1, stderr);
  assert.equal(lines.at(-1)!.type, 'result');
  return lines;
}

function setUp(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'a');
  writeFileSync(Buffer.from(join(source, 'b\xff'), 'latin1'), 'b');
  const url = `file://${join(program.home, 'target')}`;
  const run = async (status: number, ...args: string[]) => {
    const result = await program.run([...args, '--json']);
    const lines = linesOf(result);
    assert.equal(result.status, status, result.stderr);
    assert.equal(lines.at(-1)!.status, status);
    return lines;
  };
  return { program, source, url, run };
}

const PLAIN = '--no-encryption';

test('docs/json.md has every type of line', () => {
  const table = readFileSync(file.replace('json.schema.json', 'json.md'), 'utf8');
  const rows = table.split('\n').filter(line => line.startsWith('| `'));
  const told = rows.flatMap(row =>
    [...row.split(' | ')[0]!.matchAll(/`([a-z-]+)`/g)].map(([, type]) => type),
  );
  const known = schema.oneOf!.map(({ properties }) => String(properties!.type!.const));
  assert.deepEqual(told.sort(), [...new Set(known)].sort());
});

test('every command that works tells its results in lines of the schema', async t => {
  const { program, source, url, run } = setUp(t);
  const [statistics] = (await run(0, 'full', PLAIN, source, url, '--progress')).filter(
    ({ type }) => type === 'statistics',
  );
  assert.equal(statistics!.newFiles, 3);
  const entries = (await run(0, 'list-current-files', url)).filter(({ type }) => type === 'entry');
  assert.deepEqual(
    entries.map(({ path, kind, pathBytes }) => [path, kind, pathBytes]),
    [
      ['', 'directory', undefined],
      ['a', 'file', undefined],
      ['b\ufffd', 'file', Buffer.from('b\xff', 'latin1').toString('base64')],
    ],
  );
  writeFileSync(join(source, 'a'), 'changed');
  const verify = await run(4, 'verify', PLAIN, '--compare-data', url, source);
  assert.equal(verify.find(({ type }) => type === 'verify')!.differences, 1);
  await run(0, 'incremental', PLAIN, source, url);
  const [chain] = (await run(0, 'collection-status', url)).filter(({ type }) => type === 'chain');
  assert.equal((chain!.sets as unknown[]).length, 2);
  const [check] = (await run(0, 'check', url)).filter(({ type }) => type === 'check');
  assert.deepEqual([check!.objects, check!.faults], [4, 0]);
  const prune = await run(0, 'prune', '--keep-last', '1', url);
  assert.equal(prune.filter(({ type }) => type === 'kept').length, 2);
  await run(0, 'full', PLAIN, source, url);
  const removals = await run(0, 'remove-all-but-n-full', '1', url, '--force');
  assert.deepEqual(
    removals.filter(({ type }) => type === 'removal').map(({ done }) => done),
    [true, true],
  );
  await run(0, 'cleanup', url);
  assert.equal((await run(0, 'probe', url)).find(({ type }) => type === 'probe')!.usable, true);
  await run(0, 'restore', '--dry-run', url, join(program.home, 'out'));
  await run(0, 'restore', url, join(program.home, 'out'));
});

test('so does every command of profiles, and what is not on an archive', async t => {
  const { program, source, url, run } = setUp(t);
  const folder = join(program.home, '.config', 'tsbackup');
  mkdirSync(folder, { recursive: true });
  const profile = [`source = "${source}"`, `target = "${url}"`, 'schedule = "Mon 21:15"', '[options]'];
  writeFileSync(join(folder, 'pics.toml'), [...profile, 'no-encryption = true', ''].join('\n'));
  const typesOf = async (status: number, ...args: string[]) =>
    (await run(status, ...args)).map(({ type }) => type).filter(type => type !== 'message');
  assert.deepEqual(await typesOf(0, 'config', 'check', 'pics'), ['profile', 'result']);
  assert.deepEqual(await typesOf(0, 'config', 'show', 'pics'), ['profile', 'result']);
  assert.deepEqual(await typesOf(0, 'config', 'schema', 'pics'), ['schema', 'result']);
  assert.deepEqual(await typesOf(0, 'run', 'pics'), ['statistics', 'result']);
  assert.deepEqual(await typesOf(0, 'status', 'pics'), ['profile', 'result']);
  const plan = ['schedule', 'install', 'pics', '--print', '--kind', 'systemd'];
  assert.deepEqual(await typesOf(0, ...plan), ['schedule', 'result']);
  assert.deepEqual(await typesOf(0, 'recovery-kit', 'pics'), ['recovery-kit', 'result']);
  assert.deepEqual(await typesOf(0, 'completion', 'bash'), ['completion', 'result']);
  for (const dry of [['--dry-run'], []]) {
    const lines = await run(0, 'replicate', url, `${url}2`, ...dry);
    assert.equal(lines.find(({ type }) => type === 'copied')!.done, dry.length === 0);
  }
  assert.deepEqual(await typesOf(0, 'remove-older-than', '1D', url), ['result']);
  assert.deepEqual(await typesOf(0, 'remove-all-inc-of-but-n-full', '1', url), ['result']);
  const changes = await typesOf(0, 'collection-status', '--show-changes-in-set', '-1', url);
  assert.ok(changes.includes('change'), changes.join());
  assert.deepEqual(await typesOf(2, 'init', 'no/name'), ['result']);
});

test('what fails ends with a result that says why, whatever it is', async t => {
  const { program, source, url, run } = setUp(t);
  const codeOf = (lines: readonly Line[]) => (lines.at(-1)!.error as { code: string }).code;
  assert.equal(codeOf(await run(2, 'full', '--volsze', '5', source, url)), 'usage');
  mkdirSync(join(program.home, 'target'));
  assert.equal(codeOf(await run(10, 'restore', url, join(program.home, 'out'))), 'nothing-to-restore');
  assert.equal(codeOf(await run(75, 'full', PLAIN, join(program.home, 'absent'), url)), 'source-missing');
  await run(0, 'full', PLAIN, source, url);
  rmSync(join(program.home, 'target'), { recursive: true });
  assert.equal((await run(13, 'check', url)).at(-1)!.outcome, 'targetUnreachable');
});

test('a run that a signal ends has a result too', async t => {
  const { program, url } = setUp(t);
  const command = 'touch begun; sleep 1000';
  const waiting = program.start(['full', '--passphrase-command', command, '--json', 'source', url]);
  while (!existsSync(join(program.home, 'begun'))) await sleep(10);
  waiting.kill('SIGTERM');
  const result = await waiting.done;
  const last = linesOf(result).at(-1)!;
  assert.deepEqual([last.outcome, last.status, result.status], ['interrupted', 143, 143]);
});
