// npm test [-- name-part ...]: runs the compiled tests with Node's own runner; two files at a time.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const parts = process.argv.slice(2);
const files = readdirSync('dist/test', { recursive: true })
  .filter(
    name => name.endsWith('.test.js') && (parts.length === 0 || parts.some(part => name.includes(part))),
  )
  .map(name => join('dist/test', name))
  .sort();
if (files.length === 0) {
  console.error('no test file matches');
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-concurrency=2', ...files],
  { stdio: 'inherit' },
);
process.exit(run.status ?? 1);
