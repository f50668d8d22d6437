/** A source that somebody works in while it is backed up: whatever is caught, nothing breaks, and the next run sees the rest. */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

test('backup of a source that changes under its hands ends well, and the next one is exact', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const random = createRandom(77);
  for (let folder = 0; folder < 20; folder++) {
    mkdirSync(join(source, `${folder}`), { recursive: true });
    for (let file = 0; file < 30; file++) {
      writeFileSync(join(source, `${folder}/${file}`), random.bytes(random.pick([10, 3000, 100_000])));
    }
  }
  writeFileSync(join(source, 'log'), 'begin\n');
  writeFileSync(join(source, 'large'), random.bytes(8_000_000));
  const url = 'file://target';
  const secret = { passphrase: 'x' };

  const disturb = () => {
    const at = () => join(source, `${random.int(20)}`, `${random.int(30)}`);
    const path = at();
    switch (random.int(7)) {
      case 0:
        return rmSync(path, { recursive: true, force: true });
      case 1:
        return truncateSync(path, random.int(500));
      case 2:
        return appendFileSync(path, random.bytes(70_000));
      case 3:
        return renameSync(path, at());
      case 4:
        rmSync(path, { recursive: true, force: true });
        return symlinkSync('elsewhere', path);
      case 5:
        rmSync(path, { recursive: true, force: true });
        return mkdirSync(path);
      default:
        appendFileSync(join(source, 'log'), 'one more line\n');
        truncateSync(join(source, 'large'), 1_000_000 + random.int(7_000_000));
    }
  };

  for (const action of ['full', 'incremental']) {
    const running = program.start([action, '--volsize', '1', 'source', url], secret);
    while (running.child.exitCode === null && running.child.signalCode === null) {
      try {
        disturb();
      } catch {
        // what was to be disturbed is something else by now
      }
      await sleep(0);
    }
    const { status, stderr } = await running.done;
    assert.ok(status === 0 || status === 3, stderr);
    assert.match(stderr, /^(Warning: .*\n)*$/);
    assert.equal(status === 3, stderr !== '', 'what was not caught is named, and the status says so');
    expectStatus(await program.run(['verify', url, 'source'], secret));
  }
  expectStatus(await program.run(['incremental', 'source', url], secret));
  expectStatus(await program.run(['verify', '--compare-data', url, 'source'], secret));
  expectStatus(await program.run(['restore', url, 'out'], secret));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
});
