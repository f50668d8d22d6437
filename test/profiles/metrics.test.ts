import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createProgram } from '../support/program.ts';

test('status writes the metrics of all profiles that share a file, each metric once', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config/tsbackup');
  mkdirSync(config, { recursive: true });
  for (const [name, ended] of [
    ['a', 1700000000],
    ['b', 1700000500],
    ['c', undefined],
  ] as const) {
    const file = name === 'b' ? 'metrics-file = "own.prom"\n' : '';
    writeFileSync(join(config, `${name}.toml`), `source = "/src"\ntarget = "file:///t"\n${file}`);
    const state = join(program.home, '.local/state/tsbackup', name);
    mkdirSync(state, { recursive: true });
    const run = { started: 1699999990, ended, verdict: 'ok', status: 0, summary: '' };
    if (ended) writeFileSync(join(state, 'state.json'), JSON.stringify({ runs: [run], lastSuccess: ended }));
  }
  await program.run(['status', '--metrics-file', 'all.prom']);
  const text = readFileSync(join(program.home, 'all.prom'), 'utf8');
  assert.equal(
    text.slice(0, text.indexOf('# HELP tsbackup_last_run_status')),
    [
      '# HELP tsbackup_last_run_timestamp_seconds End of the last run.',
      '# TYPE tsbackup_last_run_timestamp_seconds gauge',
      'tsbackup_last_run_timestamp_seconds{profile="a"} 1700000000',
      'tsbackup_last_run_timestamp_seconds{profile="b"} 1700000500\n',
    ].join('\n'),
  );
  const heads = text.match(/^# TYPE .*$/gm)!;
  assert.equal(new Set(heads).size, heads.length);
  await program.run(['status']);
  const own = readFileSync(join(config, 'own.prom'), 'utf8');
  assert.match(own, /profile="b"/);
  assert.doesNotMatch(own, /profile="[ac]"/);
});
