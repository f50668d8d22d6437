/** README.md's table of troubles is complete: each row has a test that brings it about. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { exitStatus } from '../../src/errors.ts';
import { readTroubles } from './troubles.ts';

const root = new URL('../../../', import.meta.url);

test('README.md tells of troubles that tests bring about, each once, and of every exit status', () => {
  const troubles = readTroubles();
  assert.ok(troubles.length > 30);
  const tests = ['commands', 'cli'].flatMap(room => {
    const folder = new URL(`test/${room}/`, root);
    return readdirSync(folder).map(name => readFileSync(new URL(name, folder), 'utf8'));
  });
  for (const { what } of troubles) {
    assert.equal(troubles.filter(other => other.what === what).length, 1, what);
    assert.ok(
      tests.some(text => text.includes(`'${what}'`)),
      `no test tries: ${what}`,
    );
  }
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  for (const [name, status] of Object.entries(exitStatus)) {
    assert.match(readme, new RegExp(`^\\| ${status} \\| `, 'm'), name);
  }
});
