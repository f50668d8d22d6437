/** Sets that duplicity resumed have old contents with new signatures: nothing that is built on them may be false. */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needTool } from '../support/tools.ts';

const args = ['--volsize', '1', '--no-compression'];

function setUp(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const folder = join(program.home, 'target');
  mkdirSync(source);
  return { program, duplicity: createDuplicity(t), source, folder, url: `file://${folder}` };
}

for (const between of ['nothing', 'an incremental of duplicity']) {
  test(`after a set that duplicity resumed, and ${between}, changes are stored whole`, async t => {
    if (!needTool(t, 'duplicity')) return;
    const { program, duplicity, source, folder, url } = setUp(t);
    const random = createRandom('resumed');
    const [early, late] = [join(source, 'early'), join(source, 'late')];
    for (const file of [early, late]) writeFileSync(file, random.bytes(3_000_000));

    const broken = duplicity.start(['full', source, url], { args });
    const isFar = () => existsSync(folder) && readdirSync(folder).some(name => name.includes('.vol5.'));
    while (!isFar()) {
      assert.equal(broken.child.exitCode, null, 'it ended before it could be interrupted');
      await sleep(5);
    }
    broken.kill('SIGKILL');
    await broken.done;
    writeFileSync(early, random.bytes(3_000_000));
    assert.match((await duplicity.full(source, url, { args })).stdout, /RESTART/);
    const manifest = readFileSync(
      join(folder, readdirSync(folder).find(name => name.endsWith('.manifest'))!),
      'latin1',
    );
    const volumes = manifest.match(/^Volume \d+/gm)!;
    assert.notEqual(new Set(volumes).size, volumes.length, 'a block that is there twice');

    if (between !== 'nothing') {
      appendFileSync(early, 'more');
      await duplicity.incremental(source, url);
    }
    const backUp = () =>
      program.run(['incremental', '--no-encryption', '--allow-source-mismatch', source, url]);
    await sleep(1100); // signatures tell changes by the second
    for (const file of [early, late]) appendFileSync(file, 'and more');
    assert.match(expectStatus(await backUp()).stderr, /^Warning: the full backup .* resumed by duplicity/m);
    appendFileSync(early, 'in the end');
    const { stdout, stderr } = expectStatus(await backUp());
    assert.doesNotMatch(stderr, /resumed/);
    assert.match(stdout, /^RawDeltaSize \d{1,6} /m); // a delta again

    const expected = snapshotTree(source);
    await duplicity.restore(url, join(program.home, 'theirs'));
    assertSameTree(snapshotTree(join(program.home, 'theirs')), expected);
    expectStatus(await program.run(['restore', '--no-encryption', url, 'ours']));
    assertSameTree(snapshotTree(join(program.home, 'ours')), expected);
  });
}

for (const left of ['its last two volumes', 'its manifest alone']) {
  test(`a set of ours that duplicity is made to resume, as it lacks ${left}, is whole, though its checksum is that of the first part`, async t => {
    if (!needTool(t, 'duplicity')) return;
    const { program, duplicity, source, folder, url } = setUp(t);
    const random = createRandom('ours');
    for (const name of ['a', 'b', 'c']) writeFileSync(join(source, name), random.bytes(1_500_000));
    expectStatus(await program.run(['full', '--no-encryption', ...args, source, url]));

    const stored = (pattern: RegExp) => join(folder, readdirSync(folder).find(name => pattern.test(name))!);
    const [manifest, sigtar] = [stored(/manifest$/), stored(/sigtar$/)];
    const theirs = join(duplicity.archiveDir, 'n');
    mkdirSync(theirs);
    const base = (path: string) => path.slice(folder.length + 1);
    writeFileSync(join(theirs, `${base(manifest)}.part`), readFileSync(manifest));
    if (left === 'its manifest alone') {
      const cache = join(program.home, '.cache', 'tsbackup');
      const copy = join(cache, readdirSync(cache)[0]!, `${base(sigtar)}.gz`);
      writeFileSync(join(theirs, `${base(sigtar)}.gz`), readFileSync(copy));
      assert.deepEqual(gunzipSync(readFileSync(copy)), readFileSync(sigtar));
    } else {
      writeFileSync(join(theirs, `${base(sigtar)}.part`), readFileSync(sigtar));
      for (const file of [sigtar, stored(/vol4/), stored(/vol5/)]) rmSync(file);
    }
    rmSync(manifest);
    rmSync(join(program.home, '.cache'), { recursive: true });
    const { stdout } = await duplicity.full(source, url, { args: [...args, '--name', 'n'] });
    assert.match(stdout, /RESTART/);
    const text = readFileSync(stored(/manifest$/), 'latin1');
    assert.match(text, /^ {4}Checksum SHA256 [\s\S]*^Volume \d/m, 'it was appended to');

    expectStatus(await program.run(['restore', url, 'ours']));
    assertSameTree(snapshotTree(join(program.home, 'ours')), snapshotTree(source));
    expectStatus(await program.run(['check', url]));
  });
}
