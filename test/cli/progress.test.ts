/** `--progress`: a bar on a terminal, a line a minute elsewhere, both with rate and time left. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { clock, createPace } from '../../src/cli/pace.ts';
import { createProgressDisplay } from '../../src/cli/progress.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { converse } from '../support/terminal.ts';
import { needTool } from '../support/tools.ts';

const MIB = 1024 * 1024;
const at = (bytesDone: number, more = {}) => ({ stage: 'backup', bytesDone, entriesDone: 3, ...more });

test('createPace() tells rate and time left from the last half minute', () => {
  let now = 0;
  const pace = createPace(() => now);
  const after = (ms: number, bytesDone: number, bytesTotal?: number) => {
    now += ms;
    return pace(at(bytesDone, bytesTotal === undefined ? {} : { bytesTotal }));
  };
  assert.deepEqual(after(0, 0), {
    ...{ elapsed: 0, rate: undefined, secondsLeft: undefined, percent: undefined },
  });
  assert.deepEqual(after(10_000, 100 * MIB, 400 * MIB), {
    ...{ elapsed: 10, rate: 10 * MIB, secondsLeft: 30, percent: 25 },
  });
  for (let i = 0; i < 60; i++) after(1000, 100 * MIB);
  assert.equal(after(1000, 100 * MIB).rate, 0, 'it has stalled');
  assert.equal(after(0, 100 * MIB, 400 * MIB).secondsLeft, undefined);
  assert.equal(pace({ ...at(5, { bytesTotal: 5 }), stage: 'reading' }).secondsLeft, 0);
  assert.deepEqual([3723, 59.2, 0, undefined].map(clock), ['1:02:03', '1:00', '0:00', '-:--']);
});

/** A stream that keeps what it is given. */
function screen(isTTY: boolean, columns = 120) {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  const tools = { isTTY, columns, cursorTo: () => true, clearLine: () => true, moveCursor: () => true };
  return {
    stream: Object.assign(stream, tools) as unknown as NodeJS.WriteStream,
    text: () => String(Buffer.concat(chunks)),
  };
}

test('off a terminal, and on a dumb one, progress is a plain line a minute', async () => {
  for (const [isTTY, term] of [
    [false, 'xterm'],
    [true, 'dumb'],
  ] as const) {
    let now = 0;
    const { stream, text } = screen(isTTY);
    const display = await createProgressDisplay(stream, () => now, term);
    for (; now <= 125_000; now += 5000) {
      display.show(at(now * 1000, { bytesTotal: 500_000_000, path: 'docs/a' }));
    }
    display.stop();
    const first = 'backup: 57.2 MB of 477 MB (12%), 3 entries, 977 KB/s, ETA 7:20, at docs/a\n';
    assert.equal(text().split('\n').length, 3);
    assert.ok(text().startsWith(first), text());
  }
});

test('a narrow terminal shows the numbers before a bar', async () => {
  for (const [columns, bar] of [
    [120, 40],
    [80, 20],
    [40, 0],
  ] as const) {
    const { stream, text } = screen(true, columns);
    const display = await createProgressDisplay(stream, () => 0, 'xterm');
    display.show(at(50 * MIB, { bytesTotal: 100 * MIB, path: 'docs/a' }));
    display.stop();
    assert.match(text(), /50% {2}50\.0 MB of 100 MB {2}0 bytes\/s/, text());
    assert.equal((/\[([=-]+)\]/.exec(text())?.[1] ?? '').length, bar);
  }
});

test('a terminal shows bytes, rate, time left and the path at hand, of whatever reads or writes volumes', async t => {
  if (!needTool(t, 'python3')) return;
  const program = createProgram(t);
  const source = join(program.home, 'source');
  mkdirSync(source);
  for (const name of ['a', 'b']) writeFileSync(join(source, name), createRandom(name).bytes(3 * MIB));
  for (const words of [
    ['full', '--no-encryption', 'source', 'file://target'],
    ['restore', 'file://target', 'back'],
    ['verify', 'file://target', 'source'],
    ['check', 'file://target'],
  ]) {
    const { status, screen: shown } = await converse(program, [...words, '--progress'], [], 'xterm');
    assert.equal(status, 0, shown);
    assert.match(shown, /\[[=-]+\] \d+% {2}\S+ [KM]B of 6\.0\d MB {2}\S+ \S+\/s {2}ETA \d*[-:]/, words[0]);
    assert.doesNotMatch(shown, /NaN|NFs|Infinity|undefined/);
  }
  const plain = expectStatus(await program.run(['verify', '--progress', 'file://target', 'source']));
  assert.ok(!(plain.stdout + plain.stderr).includes('\u001b'), plain.stderr);
});
