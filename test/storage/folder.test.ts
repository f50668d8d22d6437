import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFolderStorage, meaningOf } from '../../src/storage/folder.ts';
import { collect } from '../../src/streams.ts';
import { failing, lentBytes, listed, storageContract } from '../contract/storage-contract.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needOrdinaryUser, needTool } from '../support/tools.ts';

const isRoot = process.geteuid?.() === 0;

storageContract('folder', async t => createFolderStorage(join(tempDir(t), 'target')));

test('put() makes the folder with its parents, private, and looking makes none', async t => {
  const base = tempDir(t);
  const storage = createFolderStorage(join(base, 'a/b/c'));
  assert.equal(await storage.exists(), false);
  assert.deepEqual(await listed(storage), []);
  await assert.rejects(collect(storage.get('x')), failing('target-unreachable', 'x'));
  assert.deepEqual(await readdir(base), []);
  await storage.put('x', Buffer.from('1'));
  assert.equal(await storage.exists(), true);
  for (const folder of ['a', 'a/b', 'a/b/c'])
    assert.equal((await stat(join(base, folder))).mode & 0o777, 0o700);
  assert.equal((await stat(join(base, 'a/b/c/x'))).mode & 0o777, 0o600);
});

test('put() makes a relative folder and one whose name is not UTF-8', async t => {
  const base = tempDir(t);
  const storage = createFolderStorage(`${base}/caf\xe9 \x01/`);
  await storage.put('x', Buffer.from('1'));
  assert.deepEqual(await readdir(base, { encoding: 'latin1' }), ['caf\xe9 \x01']);
  assert.ok(storage.description.endsWith('caf\\xe9 \\x01/'), storage.description);
  const before = process.cwd();
  process.chdir(base);
  try {
    await createFolderStorage('rel/dir').put('y', Buffer.from('22'));
    assert.deepEqual(await listed(createFolderStorage('rel/dir')), [{ name: 'y', size: 2 }]);
  } finally {
    process.chdir(before);
  }
});

test('list() shows links to files, not folders, dangling links, fifos and our temporary files', async t => {
  const base = tempDir(t);
  await mkdir(join(base, 'folder'));
  await writeFile(join(base, 'file'), 'abc');
  await symlink('file', join(base, 'link'));
  await symlink('nowhere', join(base, 'dangling'));
  await symlink('loop', join(base, 'loop'));
  await symlink('file/below', join(base, 'below'));
  await writeFile(join(base, 'tsbackup-tmp-0123'), 'half');
  assert.equal(spawnSync('mkfifo', [join(base, 'fifo')]).status, 0);
  const storage = createFolderStorage(base);
  assert.deepEqual(await listed(storage), [
    { name: 'file', size: 3 },
    { name: 'link', size: 3 },
  ]);
  assert.equal(Buffer.from(await collect(storage.get('link'))).toString(), 'abc');
  for (const name of ['folder', 'fifo', 'dangling']) {
    assert.equal(await storage.stat(name), undefined);
    await assert.rejects(collect(storage.get(name)), failing('object-missing', name));
  }
  await assert.rejects(storage.put('folder', Buffer.from('x')), failing('target-denied', 'folder'));
  await assert.rejects(storage.delete('folder'), failing('target-denied', 'folder'));
});

test('localPath() is the file of an object', async t => {
  const storage = createFolderStorage(tempDir(t));
  await storage.put('\xff', Buffer.from('here'));
  assert.equal((await readFile(storage.localPath('\xff'))).toString(), 'here');
});

test('put() leaves no temporary file when its source fails or it is aborted', async t => {
  const base = tempDir(t);
  const storage = createFolderStorage(base);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1_000_000);
    assert.equal((await readdir(base)).length, 1);
    throw new Error('broken');
  }
  await assert.rejects(storage.put('x', broken()), /broken/);
  const abort = new AbortController();
  async function* aborted(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10);
    abort.abort();
  }
  await assert.rejects(storage.put('x', aborted(), { signal: abort.signal }), { name: 'AbortError' });
  assert.deepEqual(await readdir(base), []);
});

test('a folder that is a file, or lies below one, is denied with advice', async t => {
  const base = tempDir(t);
  await writeFile(join(base, 'file'), '');
  for (const folder of ['file', 'file/below']) {
    const storage = createFolderStorage(join(base, folder));
    await assert.rejects(storage.put('x', Buffer.from('1')), failing('target-denied', 'x'));
    await assert.rejects(listed(storage), failing('target-denied'));
  }
  assert.equal(await createFolderStorage(join(base, 'file')).exists(), false);
  await symlink('nowhere', join(base, 'dangling'));
  await assert.rejects(
    createFolderStorage(join(base, 'dangling/sub')).put('x', Buffer.from('1')),
    failing('target-unreachable'),
  );
});

test('a name longer than the file system takes is denied, naming it', async t => {
  const name = 'n'.repeat(300);
  await assert.rejects(
    createFolderStorage(tempDir(t)).put(name, Buffer.from('1')),
    failing('target-denied', name),
  );
});

test('a folder without permission is denied', async t => {
  if (!needOrdinaryUser(t)) return;
  const base = tempDir(t);
  await mkdir(join(base, 'closed'), { mode: 0o500 });
  const storage = createFolderStorage(join(base, 'closed'));
  if (isRoot) process.seteuid?.(65534); // nobody: root may write anywhere
  try {
    await assert.rejects(storage.put('x', Buffer.from('1')), failing('target-denied', 'x'));
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('get() of another user’s object says who may read it, not that the folder is to be writable', async t => {
  if (!needOrdinaryUser(t)) return;
  const base = tempDir(t);
  await writeFile(join(base, 'x'), 'theirs');
  await chmod(join(base, 'x'), 0);
  await chmod(base, 0o755);
  if (isRoot) process.seteuid?.(65534);
  try {
    const storage = createFolderStorage(base);
    await assert.rejects(
      collect(storage.get('x')),
      failing('target-denied', 'Make it readable for this user'),
    );
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('list() leaves out links to where this user may not look', async t => {
  if (!needOrdinaryUser(t)) return;
  const base = tempDir(t);
  await mkdir(join(base, 'closed'));
  await writeFile(join(base, 'closed/file'), '');
  await chmod(join(base, 'closed'), 0);
  await mkdir(join(base, 'target'));
  await symlink('../closed/file', join(base, 'target/link'));
  await chmod(base, 0o755);
  if (isRoot) process.seteuid?.(65534);
  try {
    assert.deepEqual(await listed(createFolderStorage(join(base, 'target'))), []);
    await assert.rejects(
      createFolderStorage(join(base, 'closed')).stat('file'),
      failing('target-denied', 'file'),
    );
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(join(base, 'closed'), 0o700);
  }
});

test('meaningOf() tells what can be tried again from what cannot', () => {
  const names = {
    'target-full': ['ENOSPC', 'EDQUOT', 'EFBIG'],
    'target-denied': ['EACCES', 'EPERM', 'EROFS', 'ENAMETOOLONG'],
    'target-unreachable': ['ESTALE', 'EIO', 'ENOTCONN', 'EHOSTDOWN', 'ETIMEDOUT', 'EWHATEVER'],
  };
  for (const [code, reasons] of Object.entries(names)) {
    for (const reason of reasons) assert.equal(meaningOf(reason)[0], code, reason);
  }
});

test('put() to a full disk says so and leaves nothing', async t => {
  if (!needTool(t, 'mount')) return;
  const base = tempDir(t);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', base]).status !== 0) {
    t.skip('needs the right to mount a tmpfs');
    return;
  }
  try {
    const storage = createFolderStorage(base);
    await storage.put('first', lentBytes(100_000, 50_000));
    await assert.rejects(
      storage.put('second', lentBytes(2_000_000, 70_000)),
      failing('target-full', 'second'),
    );
    assert.deepEqual(await readdir(base), ['first']);
  } finally {
    spawnSync('umount', [base]);
  }
});

test('put() hears of a disk that fails while more is being written, though the system tells it once only', async t => {
  const base = tempDir(t);
  const file = await open(base, 'r');
  const proto = Object.getPrototypeOf(file) as { sync(): Promise<void> };
  await file.close();
  const { sync } = proto;
  for (const failingCall of [1, 2]) {
    let calls = 0;
    t.mock.method(proto, 'sync', function (this: unknown) {
      calls++;
      return calls === failingCall
        ? Promise.reject(Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' }))
        : sync.call(this);
    });
    async function* source() {
      const chunk = Buffer.alloc(1024 * 1024, 7);
      for (let i = 0; i < 70; i++) yield chunk; // synced after every 32 MiB
    }
    const storage = createFolderStorage(base);
    await assert.rejects(storage.put('x', source()), failing('target-unreachable', 'i/o error'));
    assert.equal(calls >= failingCall, true);
    t.mock.restoreAll();
    assert.deepEqual(await readdir(base), []);
  }
});

test('put() tells the first failure, and that of the closing only where there is no other', async t => {
  const base = tempDir(t);
  const file = await open(base, 'r');
  const proto = Object.getPrototypeOf(file) as Pick<FileHandle, 'write' | 'close'>;
  await file.close();
  const { write } = proto;
  t.mock.method(proto, 'write', function (this: typeof proto, ...args: Parameters<typeof write>) {
    const close = this.close.bind(this);
    this.close = async () => {
      await close();
      throw Object.assign(new Error('ENOSPC: no space left on device, close'), { code: 'ENOSPC' });
    };
    return write.apply(this, args);
  });
  const storage = createFolderStorage(base);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1_000_000);
    throw new Error('the source broke');
  }
  await assert.rejects(storage.put('x', broken()), /the source broke/);
  await assert.rejects(storage.put('x', Buffer.from('1')), failing('target-full', 'x'));
  assert.deepEqual(await readdir(base), []);
});

test('a put that is killed leaves only a temporary file, which removeStale() clears a day later', async t => {
  const base = tempDir(t);
  const script = `
    const { createFolderStorage } = await import(${JSON.stringify(new URL('../../src/storage/folder.js', import.meta.url).href)});
    async function* slow() {
      for (let i = 0; i < 3; i++) yield new Uint8Array(300000);
      process.stdout.write('written');
      await new Promise(resolve => setTimeout(resolve, 60000));
    }
    await createFolderStorage(process.argv[1]).put('duplicity-full.20261123T005742Z.vol1.difftar.gpg', slow());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, base], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');

  const left = await readdir(base);
  assert.equal(left.length, 1);
  assert.match(left[0]!, /^tsbackup-tmp-[0-9a-f]{24}$/);
  const now = (await stat(join(base, left[0]!))).mtimeMs;
  assert.deepEqual(await listed(createFolderStorage(base)), []);
  const hour = 3_600_000;
  await writeFile(join(base, 'stranger'), 'not ours');
  await utimes(join(base, 'stranger'), 0, 0);
  assert.equal(await createFolderStorage(base, { now: () => now + 23 * hour }).removeStale(), 0);
  assert.equal(await createFolderStorage(base, { now: () => now + 25 * hour }).removeStale(), 1);
  assert.deepEqual(await readdir(base), ['stranger']);
});

test('removeStale() clears at once what runs of the same owner left, and leaves that of others', async t => {
  const base = tempDir(t);
  const ownedBy = (owner: string) => createFolderStorage(base, { owner: async () => owner });
  let seen: string[] = [];
  async function* looking() {
    yield new Uint8Array(10);
    seen = await readdir(base);
  }
  await ownedBy('aa').put('object', looking());
  assert.match(seen[0]!, /^tsbackup-tmp-aa-[0-9a-f]{24}$/);
  for (const name of [seen[0]!, 'tsbackup-tmp-aab-1', 'tsbackup-tmp-bb-1', 'tsbackup-tmp-1'])
    await writeFile(join(base, name), 'half');
  assert.equal(await ownedBy('aa').removeStale(), 1);
  assert.deepEqual((await readdir(base)).sort(), [
    'object',
    'tsbackup-tmp-1',
    'tsbackup-tmp-aab-1',
    'tsbackup-tmp-bb-1',
  ]);
  assert.equal(await createFolderStorage(base).removeStale(), 0);
});

test('put() of what is to be new takes no other one’s place', async t => {
  const folder = tempDir(t);
  const storage = createFolderStorage(folder);
  await storage.put('x', Buffer.from('theirs'), { isNew: true });
  await assert.rejects(storage.put('x', Buffer.from('ours'), { isNew: true }), failing('locked', 'x'));
  assert.deepEqual(await readdir(folder), ['x']);
  assert.equal(await readFile(join(folder, 'x'), 'utf8'), 'theirs');
  await storage.put('x', Buffer.from('ours'));
  assert.equal(await readFile(join(folder, 'x'), 'utf8'), 'ours');
});
