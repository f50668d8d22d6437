import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProfileStatus, statusOfProfile } from '../../src/commands/profile-status.ts';
import { type ProfileState, readState, writeState } from '../../src/profiles/state.ts';
import { tempDir } from '../support/temp-dir.ts';

test('readState() gives back what writeState() wrote', t => {
  const folder = tempDir(t);
  const state: ProfileState = {
    runs: [{ started: 1, ended: 2, verdict: 'warn', status: 3, summary: 'a file was not read' }],
    ...{ lastSuccess: 2, running: 5, every: 'daily 03:30' },
    archive: { chains: 1, sets: 2, chainLength: 2, bytes: 100, lastFull: 1, lastSet: 2 },
    lastCheck: { time: 4, faults: true, damagedChain: 1 },
  };
  writeState(folder, state);
  assert.deepEqual(readState(folder), state);
});

test('readState() passes over what is not as we write it, whatever is there', t => {
  const folder = tempDir(t);
  const value = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.nat(), fc.constantFrom('ok', 'error'));
  const record = (...names: string[]) =>
    fc.record(Object.fromEntries(names.map(name => [name, value])), { requiredKeys: [] });
  const run = record('started', 'ended', 'verdict', 'status', 'summary');
  const facts = record('chains', 'sets', 'chainLength', 'bytes', 'lastFull', 'lastSet');
  const state = fc.record(
    {
      runs: fc.oneof(fc.array(fc.oneof(run, value)), value),
      archive: fc.oneof(facts, value),
      lastCheck: fc.oneof(record('time', 'faults', 'damagedChain'), value),
      ...{ lastSuccess: value, running: value, every: value },
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(state, fc.jsonValue()), written => {
      writeFileSync(join(folder, 'state.json'), JSON.stringify(written));
      const read = readState(folder);
      assert.ok(read.every === undefined || typeof read.every === 'string');
      const summaries = read.runs.map(({ summary }) => summary).join();
      const request = { profile: 'p', state: read, maxAge: 60, nextRun: undefined, now: 1e9 };
      const text = formatProfileStatus(statusOfProfile(request), 1e9).replace(summaries, '');
      assert.doesNotMatch(text, /NaN|undefined|\[object/);
    }),
  );
});
