import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { unlinkSync, writeFileSync } from 'node:fs';
import { cp, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { acquireRunLock } from '../../src/cache/lock.ts';
import { failing } from '../contract/storage-contract.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

/** A scratch folder with an archive folder `archive/n` and a tree to back up. */
async function scratch(t: TestContext): Promise<{ base: string; folder: string }> {
  const base = tempDir(t);
  const folder = join(base, 'archive/n');
  await mkdir(folder, { recursive: true });
  await mkdir(join(base, 'src'));
  await writeFile(join(base, 'src/file'), 'x');
  return { base, folder };
}

function duplicityArguments(base: string, ...options: string[]): string[] {
  const archive = ['--archive-dir', join(base, 'archive'), '--name', 'n'];
  return ['full', ...options, ...archive, join(base, 'src'), `file://${base}/target`];
}

/** A Node that takes the lock, collects its garbage, says so and stays. */
function holdingArguments(folder: string): string[] {
  const script = `
    const { acquireRunLock } = await import(${JSON.stringify(new URL('../../src/cache/lock.js', import.meta.url).href)});
    await acquireRunLock(process.argv[1]);
    gc();
    process.stdout.write('held');
    setInterval(() => {}, 60000);`;
  return ['--expose-gc', '--input-type=module', '-e', script, folder];
}

async function holdElsewhere(folder: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, holdingArguments(folder), { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

test('acquireRunLock() is held by one at a time, and leaves one empty private file', async t => {
  const { folder } = await scratch(t);
  const lock = await acquireRunLock(folder);
  await assert.rejects(acquireRunLock(folder), failing('locked', `process ${process.pid}`));
  assert.deepEqual(await readdir(folder), ['lockfile']);
  const { size, mode } = await stat(join(folder, 'lockfile'));
  assert.deepEqual([size, mode & 0o777], [0, 0o600]);
  lock.release();
  lock.release();
  assert.deepEqual(await readdir(folder), ['lockfile']);
  (await acquireRunLock(folder)).release();
});

test('acquireRunLock() fails while another process holds it, and takes over when that one is killed', async t => {
  const { folder } = await scratch(t);
  const child = await holdElsewhere(folder);
  try {
    await assert.rejects(acquireRunLock(folder), failing('locked', `process ${child.pid}, running since 2`));
  } finally {
    await killed(child);
  }
  assert.deepEqual(await readdir(folder), ['lockfile']);
  (await acquireRunLock(folder)).release();
});

test('acquireRunLock() keeps duplicity out, until release()', async t => {
  if (!needTool(t, 'duplicity')) return;
  const { base, folder } = await scratch(t);
  const run = () => spawnSync('duplicity', duplicityArguments(base, '--no-encryption'), { encoding: 'utf8' });
  const lock = await acquireRunLock(folder);
  const refused = run();
  assert.equal(refused.status, 23, refused.stderr);
  assert.match(refused.stderr + refused.stdout, /already running/);
  lock.release();
  const done = run();
  assert.equal(done.status, 0, done.stderr);
});

test('acquireRunLock() is kept out by duplicity, until that ends', async t => {
  if (!needTool(t, 'duplicity')) return;
  const { base, folder } = await scratch(t);
  const { PASSPHRASE: _, ...env } = process.env;
  // With no terminal and no passphrase it holds the lock and waits for its standard input.
  const child = spawn('duplicity', duplicityArguments(base), {
    env,
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  try {
    for await (const text of child.stderr) if (/passphrase/i.test(String(text))) break;
    await assert.rejects(acquireRunLock(folder), failing('locked', `process ${child.pid}`));
  } finally {
    await killed(child);
  }
  (await acquireRunLock(folder)).release();
});

test('acquireRunLock() tries again when the file that it locked has just been removed', async t => {
  const { folder } = await scratch(t);
  const path = join(folder, 'lockfile');
  const begin = Sqlite.prototype.exec;
  let removals = 3; // as duplicity does when it ends
  t.mock.method(Sqlite.prototype, 'exec', function (this: Sqlite.Database, sql: string) {
    begin.call(this, sql);
    if (removals-- > 0) unlinkSync(path);
    if (removals === 1) writeFileSync(path, ''); // and another run has made a new one
    return this;
  });
  const lock = await acquireRunLock(folder);
  const child = spawnSync(process.execPath, holdingArguments(folder), { encoding: 'utf8', timeout: 60_000 });
  assert.match(child.stderr, /Another run/);
  lock.release();
  removals = Number.POSITIVE_INFINITY;
  await assert.rejects(acquireRunLock(folder), failing('locked'));
});

test('acquireRunLock() says what to do when it cannot lock', async t => {
  const { folder } = await scratch(t);
  await writeFile(join(folder, 'lockfile'), 'something else');
  await assert.rejects(acquireRunLock(folder), failing('local-io', 'the file is empty'));
  await assert.rejects(acquireRunLock(join(folder, 'absent')), failing('local-io', '--archive-dir'));
  await assert.rejects(acquireRunLock(`${folder}\xff`), failing('local-io', 'not UTF-8'));
});

test('acquireRunLock() says how to install SQLite where it cannot be loaded', async t => {
  const { base, folder } = await scratch(t);
  const source = fileURLToPath(new URL('../../src', import.meta.url));
  for (const part of ['bytes.js', 'errors.js', 'streams.js', 'report.js', 'cache', 'storage']) {
    await cp(join(source, part), join(base, 'copy', part), { recursive: true });
  }
  await writeFile(join(base, 'copy/package.json'), '{"type":"module"}');
  const script = `const { acquireRunLock } = await import(process.argv[1]);
    await acquireRunLock(process.argv[2]).catch(error => console.log(error.code, error.message));`;
  const run = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, join(base, 'copy/cache/lock.js'), folder],
    {
      encoding: 'utf8',
      cwd: base,
    },
  );
  assert.match(run.stdout, /^local-io .*npm rebuild better-sqlite3/, run.stderr);
});
