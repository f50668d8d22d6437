/** check of archives that the real duplicity has written: whole ones are proved, and of damaged ones what is lost is named. */

import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentReporter } from '../../src/report.ts';
import { openStorage } from '../../src/storage/open.ts';
import { makeSource } from '../commands/sources.ts';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import { type SnapshotEntry, snapshotTree, treeDifferences } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { setMtime } from '../support/trees.ts';

const TIMES = [1_700_000_000, 1_700_001_000, 1_700_002_000];

interface History {
  readonly base: string;
  readonly archive: TestArchive;
  readonly states: readonly (readonly SnapshotEntry[])[];
}

async function makeTheirHistory(t: TestContext, passphrase?: string): Promise<History> {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base, passphrase === undefined ? {} : { passphrase });
  const duplicity = createDuplicity(t);
  const random = createRandom(23);
  const states: SnapshotEntry[][] = [];
  for (const [index, time] of TIMES.entries()) {
    if (index > 0) {
      appendFileSync(join(source, 'b'), random.bytes(1_300_000 * (2 - index) + 50));
      writeFileSync(join(source, `new ${index}`), random.bytes(1000));
      for (const path of ['b', `new ${index}`]) setMtime(join(source, path), 1_650_000_000 + index);
    }
    if (index === 2) rmSync(join(source, 'e'));
    const options = {
      ...(passphrase !== undefined && { passphrase }),
      args: ['--volsize', '1', '--current-time', String(time)],
    };
    if (index === 0) await duplicity.full(source, archive.url, options);
    else await duplicity.incremental(source, archive.url, options);
    states.push(snapshotTree(source));
  }
  archive.host.set(1_700_100_000);
  return { base, archive, states };
}

for (const passphrase of [undefined, 'pä ss']) {
  const how = passphrase === undefined ? 'plain' : 'encrypted';

  test(`check() of duplicity's archive (${how}) proves what is whole and names what is lost`, async t => {
    if (!needTool(t, 'duplicity', 'gpg')) return;
    const { base, archive, states } = await makeTheirHistory(t, passphrase);
    for (const sample of [undefined, { percent: 40 }, { percent: 40 }]) {
      assert.equal(await archive.check(sample), 0, JSON.stringify(archive.host.reports));
    }
    assert.match(archive.host.output(), /no fault found/);

    const volume = readdirSync(archive.folder).find(name => /^duplicity-full\..*vol2\./.test(name))!;
    const file = join(archive.folder, volume);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(file, bytes);
    archive.host.clear();
    assert.equal(await archive.check(), 1);
    const messages = archive.host.reports.filter(({ code }) => code === 'entry-lost');
    const lost = messages.map(({ facts }) => String(facts!.path));
    assert.ok(lost.includes('b') && lost.includes('e') && !lost.includes('a'), lost.join());
    const spanOf = (path: string) => messages.find(({ facts }) => facts!.path === path)!.message;
    assert.match(spanOf('b'), / from 20231114T221320Z to 20231114T224640Z: /);
    assert.match(spanOf('e'), / from 20231114T221320Z to 20231114T223000Z: /);
    for (const [index, time] of TIMES.entries()) {
      const out = join(base, `out ${index}`);
      assert.equal(await archive.restore(out, { time: String(time) }), 1);
      const missing = treeDifferences(snapshotTree(out), states[index]!, { ignore: ['mtimeSeconds'] });
      const named = lost.filter(path => index < 2 || path !== 'e');
      assert.equal(missing.length, named.length, missing.join('\n'));
    }
  });
}

test('check() of a bucket proves what is whole, by samples too, and names what is lost', async t => {
  const server = await startS3Server();
  t.after(() => server.close());
  const program = createProgram(t);
  makeSource(join(program.home, 'source'));
  const url = `s3://${BUCKET}/checked`;
  const run = (...words: string[]) =>
    program.run([...words, '--s3-endpoint-url', server.url], {
      passphrase: 'in the cloud',
      env: credentials,
    });
  expectStatus(await run('full', 'source', url, '--volsize', '1'));
  appendFileSync(join(program.home, 'source/b'), 'and more');
  expectStatus(await run('incremental', 'source', url));
  expectStatus(await run('check', url));
  expectStatus(await run('check', '--sample', '1M', url));

  Object.assign(process.env, credentials);
  const storage = await openStorage(url, { endpointUrl: server.url }, silentReporter);
  t.after(() => storage.close());
  for await (const { name } of storage.list()) if (/-full\..*vol2\./.test(name)) await storage.delete(name);
  for (const words of [['check'], ['check', '--sample', '1%']]) {
    const { stderr } = expectStatus(await run(...words, url), 1);
    assert.match(
      stderr,
      /^Error: volume 2 of the full backup of \w+ is not at the target; it held what lies from b to e$/m,
    );
    assert.match(stderr, /^Error: b is lost from \w+ to \w+: /m);
    assert.match(stderr, /^Error: e is lost from \w+ to \w+: /m);
    assert.doesNotMatch(stderr, /^Error: a is lost/m);
  }
});
