/** A known fault: a file that could not be read once was taken for deleted, and sent whole by the next backup. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertTold } from '../commands/troubles.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

for (const [code, calls] of [
  ['EIO', ['lstatSync', 'openSync']],
  ['EACCES', ['lstatSync', 'openSync']],
  ['EIO', ['readSync']],
] as const) {
  test(`a file unreadable once keeps its version and is not sent again (${code} at ${calls[0]})`, async t => {
    const program = createProgram(t);
    const { options, fail, heal } = createSleepingSource(program);
    const source = join(program.home, 'source');
    const target = join(program.home, 'target');
    const url = `file://${target}`;
    const words = ['incremental', '--no-encryption', '--source-retry-for', '1', source, url];
    mkdirSync(join(source, 'folder'), { recursive: true });
    writeFileSync(join(source, 'folder/film'), createRandom(91).bytes(3_000_000));
    writeFileSync(join(source, 'other'), '1');
    expectStatus(await program.run(['full', '--no-encryption', source, url], options));
    const before = snapshotTree(source);

    fail({ code, match: 'film', calls });
    if (calls[0] === 'readSync') {
      // It is looked into only if it seems to have changed.
      writeFileSync(join(source, 'folder/film'), createRandom(91).bytes(3_000_000));
    }
    const result = await program.run(words, options);
    assertTold(result, 'a file or folder that can not be read');
    assert.match(result.stdout, /^DeletedFiles 0$/m);
    expectStatus(await program.run(['restore', url, 'out']));
    assertSameTree(snapshotTree(join(program.home, 'out')), before);

    heal();
    expectStatus(await program.run(words, options));
    expectStatus(await program.run(['restore', url, 'again'], options));
    assertSameTree(snapshotTree(join(program.home, 'again')), snapshotTree(source));
    const sent = readdirSync(target).filter(name => name.includes('-inc') && name.includes('difftar'));
    for (const name of sent) assert.ok(statSync(join(target, name)).size < 100_000, name);
  });
}
