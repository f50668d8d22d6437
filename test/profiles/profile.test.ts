import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadProfile } from '../../src/profiles/profile.ts';
import { parseTarget } from '../../src/storage/url.ts';
import { tempDir } from '../support/temp-dir.ts';

test('a relative target begins in the folder of the profile; all others stay as they are written', t => {
  const folder = join(tempDir(t), '100%25 full?');
  mkdirSync(folder);
  const file = join(folder, 'p.toml');
  const target = (url: string) => {
    writeFileSync(file, `source = "/src"\ntarget = "${url}"\n`);
    return loadProfile(file, { names: [] }, {}).target;
  };
  const pathOf = (url: string) => {
    const parsed = parseTarget(target(url));
    return parsed.scheme === 'file' ? parsed.path : assert.fail(url);
  };
  assert.equal(pathOf('file://beside'), `${folder}/beside`);
  assert.equal(pathOf('FILE://beside/a%20b'), `${folder}/beside/a b`);
  assert.equal(pathOf('file://a%20b/c?tail'), `${folder}/a%20b/c`);
  assert.equal(pathOf('file://./x'), `${folder}/x`);
  assert.equal(pathOf('file://../x'), join(folder, '../x'));
  assert.equal(pathOf('file://~/x'), `${homedir()}/x`);
  for (const url of ['file:///a//b/../c', 'file:/a', 's3://bucket/x', 'file://', 'file://?x', 'ftp://x']) {
    assert.equal(target(url), url);
  }
});
