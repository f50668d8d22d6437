import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commonOptions } from '../../src/cli/common-values.ts';

test('the archive cache is where --archive-dir or an absolute XDG_CACHE_HOME says', t => {
  const before = process.env.XDG_CACHE_HOME;
  t.after(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });
  const archiveDir = (cacheHome: string, values = {}) => {
    process.env.XDG_CACHE_HOME = cacheHome;
    return commonOptions(values).archiveDir;
  };
  assert.equal(archiveDir('/x/'), '/x/tsbackup');
  assert.equal(archiveDir('relative'), join(homedir(), '.cache/tsbackup'));
  assert.equal(archiveDir('/x', { 'archive-dir': 'own' }), join(process.cwd(), 'own'));
});
