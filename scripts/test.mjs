// npm test [-- part ...] [-- --node-option ...]: runs the compiled tests with Node's own runner, several files at a time.
// A part picks the test files whose path holds it; what begins with - goes to Node, e.g. --test-name-pattern=restore.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const minutes = process.env.TSBACKUP_FAULTS ? 240 : 20;
const TIMEOUT_MS = minutes * 60_000; // of one file; a busy machine must not fail what is only slow
const FILES_AT_ONCE = Math.min(availableParallelism(), 2) + 1; // some wait for minutes for what hangs

process.umask(0o022); // the modes of what tests make must not depend on who runs them
process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const args = process.argv.slice(2);
const nodeOptions = args.filter(arg => arg.startsWith('-'));
const parts = args.filter(arg => !arg.startsWith('-'));
const files = testFiles();
if (files.length === 0) {
  console.error(
    parts.length === 0 ? 'no tests: run `npm run build` first' : `no test file matches ${parts.join(' ')}`,
  );
  process.exit(1);
}

const dir = mkdtempSync(join(tmpdir(), 'tsbackup-tests-'));
const started = Date.now();
let status;
let tally;
try {
  const tallyFile = join(dir, 'tally.json');
  const reporters = ['spec', 'stdout', './scripts/test-tally.mjs', tallyFile];
  const run = spawnSync(
    process.execPath,
    [
      ...[
        '--enable-source-maps',
        '--test',
        `--test-concurrency=${FILES_AT_ONCE}`,
        `--test-timeout=${TIMEOUT_MS}`,
      ],
      ...reporters.map((value, i) => `--test-reporter${i % 2 === 0 ? '' : '-destination'}=${value}`),
      ...nodeOptions,
      ...files,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  status = run.status ?? 1;
  tally = JSON.parse(readFileSync(tallyFile, 'utf8') || '{}');
} finally {
  rmSync(dir, { recursive: true, force: true });
}

const { passed = 0, failed = 0, skipped = [], empty = [] } = tally;
for (const { name, reason } of skipped) console.log(`skipped: ${name}${reason ? ` (${reason})` : ''}`);
const filtered = nodeOptions.some(option => option.startsWith('--test-'));
for (const file of filtered ? [] : empty) console.error(`no tests in ${file}`);
const seconds = ((Date.now() - started) / 1000).toFixed(1);
console.log(
  `\n${files.length} files in ${seconds} s: ${passed} passed, ${failed} failed, ${skipped.length} skipped`,
);
if (passed + failed === 0) console.error('no test ran');
if (!filtered && empty.length > 0) status ||= 1;
process.exit(passed + failed === 0 ? status || 1 : status);

function testFiles() {
  if (!existsSync('dist/test')) return [];
  return readdirSync('dist/test', { recursive: true })
    .map(name => join('dist/test', name))
    .filter(
      name => name.endsWith('.test.js') && (parts.length === 0 || parts.some(part => name.includes(part))),
    )
    .filter(name => existsSync(name.replace(/^dist.(.*)\.js$/, '$1.ts'))) // not what an earlier build left
    .sort();
}
