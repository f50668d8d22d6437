import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkTarget } from '../../src/files/target.ts';
import { scratch } from './support.ts';

test('checkTarget() takes what is absent or an empty folder, and the rest only by force', t => {
  const root = scratch(t);
  for (const folder of ['empty', 'full', 'full/in']) mkdirSync(`${root}/${folder}`);
  writeFileSync(`${root}/file`, '');
  symlinkSync('empty', `${root}/to-empty`);
  symlinkSync('full', `${root}/to-full`);
  symlinkSync('nowhere', `${root}/dangling`);
  symlinkSync('loop', `${root}/loop`);
  symlinkSync('x'.repeat(4000), `${root}/long`);
  for (const good of ['none', 'none/below', 'empty', 'empty/', 'to-empty']) {
    assert.doesNotThrow(() => checkTarget(`${root}/${good}`));
  }
  for (const bad of ['full', 'file', 'to-full', 'dangling', 'loop', 'long']) {
    assert.throws(() => checkTarget(`${root}/${bad}`), { code: 'target-not-empty' });
    assert.doesNotThrow(() => checkTarget(`${root}/${bad}`, { force: true }));
  }
  assert.throws(() => checkTarget(`${root}/file/below`, { force: true }), { code: 'local-io' });
});
