/**
 * The example in FORMAT.md is what the code makes: a tree of four entries, backed up in full and then once more, with
 * clock, host, owner and random bytes pinned. To write the blocks anew: UPDATE_FORMAT=1 node --test <this file>.
 */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import tar from 'tar-stream';
import { openArchiveCache } from '../src/cache/archive-cache.ts';
import { FULL_SET } from '../src/catalog/versions.ts';
import { pack } from '../src/engine/pack.ts';
import type { PlanItem } from '../src/engine/plan-item.ts';
import { createSetWriter } from '../src/engine/set-writer.ts';
import { createSlabPool } from '../src/engine/slab-pool.ts';
import { createBatchCursor, storeVolumes } from '../src/engine/volumes.ts';
import type { SourceEntry } from '../src/files/walk.ts';
import { endOf, type SetId, volumeName } from '../src/manifest/names.ts';
import { createDelta } from '../src/rsync/delta.ts';
import { createKernel } from '../src/rsync/kernel.ts';
import { createSigner } from '../src/rsync/signature.ts';
import { createFolderStorage } from '../src/storage/folder.ts';
import { fromChunks } from '../src/streams.ts';
import { createEnvelope, type EnvelopeOptions } from '../src/volumes/envelope.ts';
import { ByteSource, readPacketBody, readPacketHeader } from '../src/volumes/openpgp-packet.ts';
import { createCfbDecipher, prepareSessionKey, type SealingKey } from '../src/volumes/openpgp-session.ts';
import { createDuplicity } from './support/duplicity.ts';
import { type Scope, tempDir } from './support/temp-dir.ts';
import { needTool } from './support/tools.ts';
import { createGpg } from './volumes/openpgp-support.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const formatFile = join(root, 'src/FORMAT.md');

const PASSPHRASE = 'example';
const HOSTNAME = 'vm';
const LOCALDIR = 'src';
const DAY = 86400;
const FIRST = 1_700_000_000;

const full: SetId = { type: 'full', time: FIRST };
const incremental: SetId = { type: 'inc', start: FIRST, end: FIRST + DAY };

function entry(path: string, more: Partial<SourceEntry>): SourceEntry {
  return {
    ...{
      path,
      type: 'file',
      mode: 0o644,
      uid: 1000,
      gid: 1000,
      uname: 'anna',
      gname: 'users',
      size: 0,
      statSize: 0,
    },
    ...{ mtimeSeconds: FIRST - DAY, linkname: '', devMajor: 0, devMinor: 0 },
    ...{ dev: 0n, ino: 0n, mtimeNs: 0n, ctimeNs: 0n },
    ...more,
  };
}

const eAcute = '\xc3\xa9';

const firstTree: PlanItem[] = [
  { kind: 'new', entry: entry('', { type: 'directory', mode: 0o755 }) },
  { kind: 'new', entry: entry('hello', { size: 6 }) },
  { kind: 'new', entry: entry('link', { type: 'symlink', mode: 0o777, linkname: 'hello' }) },
  { kind: 'new', entry: entry(eAcute, { mode: 0o600, size: 1 }) },
];
const firstContents = { hello: 'hello\n', [eAcute]: 'y' };

const later = { mtimeSeconds: FIRST + 100 };
const helloSignature = { set: FULL_SET, offset: 0 };
const secondTree: PlanItem[] = [
  { kind: 'replaced', entry: entry('', { type: 'directory', mode: 0o755, ...later }) },
  {
    kind: 'changed',
    entry: entry('hello', { size: 12, ...later }),
    signature: helloSignature,
    mustStore: true,
  },
  { kind: 'deleted', path: 'link', wasFile: false },
];
const secondContents = { hello: 'hello world\n' };

/** Bytes 00 01 02 … for whoever asks for random ones. */
function createCounter() {
  let next = 0;
  return (length: number) => Uint8Array.from({ length }, () => next++ & 0xff);
}

function signatureOf(text: string): Uint8Array {
  const signer = createSigner(createKernel());
  signer.start(512);
  signer.push(Buffer.from(text));
  return signer.end();
}

function deltaOf(basis: string, edited: string): Buffer {
  const delta = createDelta(createKernel());
  const pieces: Buffer[] = [];
  delta.start(signatureOf(basis), bytes => pieces.push(Buffer.from(bytes)));
  delta.push(Buffer.from(edited));
  delta.end();
  return Buffer.concat(pieces);
}

/** Writes a set, not encrypted and not compressed, through the pieces that a backup is made of. */
async function writeSet(
  base: string,
  set: SetId,
  items: readonly PlanItem[],
  contents: Readonly<Record<string, string>>,
): Promise<void> {
  const { signal } = new AbortController();
  const storage = createFolderStorage(join(base, 'target'));
  const cache = await openArchiveCache(base, 'cache');
  const pool = createSlabPool(4);
  const envelope = async (): Promise<EnvelopeOptions> => ({ form: 'plain' });
  const writer = await createSetWriter({
    ...{ cache, storage, envelope, signal },
    header: { set, prefixes: {}, form: 'plain', hostname: HOSTNAME, localdir: LOCALDIR },
  });
  const batches = pack([items], {
    kernel: createKernel(),
    open: entry => ({ entry, file: sourceFile(contents[entry.path]!) }),
    signatureAt: () => signatureOf(firstContents.hello),
    buffers: pool,
    fingerprintOf: () => '',
    recorder: { stored() {}, unchanged() {}, removed() {} },
    maxBlockLength: 2048,
  });
  try {
    await storeVolumes(createBatchCursor(batches), {
      ...{ storage, volumeSize: 2 ** 20, width: 2, uploads: 1, signal },
      nameOf: number => volumeName(set, number, 'plain'),
      createEnvelope: async () => createEnvelope(await envelope()),
      onTaken: writer.add,
      onConsumed: batch => pool.giveBack(batch.difftar),
      mark: writer.mark,
      onStored: writer.volumeStored,
    });
    await writer.commit({ learn: async () => {} });
  } finally {
    await writer.close();
  }
}

function sourceFile(text: string) {
  const bytes = Buffer.from(text);
  let at = 0;
  return {
    stats: statSync('.', { bigint: true }), // which nobody looks at
    isFresh: false,
    readInto(target: Uint8Array, offset: number, length: number) {
      const part = bytes.subarray(at, at + length);
      target.set(part, offset);
      at += part.length;
      return part.length;
    },
    hasChanged: () => false,
    close() {},
  };
}

/** A manifest as a message, and what it is before it is encrypted. */
async function sealed(manifest: Uint8Array, compress: boolean) {
  const random = createCounter();
  const key = await prepareSessionKey({ passphrase: async () => Buffer.from(PASSPHRASE) }, random);
  const envelope = createEnvelope({ form: 'gpg', key, random, mtimeSeconds: endOf(full), compress });
  const parts = [await envelope.start(), await envelope.push(manifest), await envelope.end()];
  const message = Buffer.concat(parts);
  return { message, inside: await decrypted(message, key) };
}

async function decrypted(message: Uint8Array, key: SealingKey): Promise<Buffer> {
  const source = new ByteSource(fromChunks(message.subarray(key.packets.length)));
  const header = await readPacketHeader(source);
  const parts: Buffer[] = [];
  for await (const part of readPacketBody(source, header!)) parts.push(Buffer.from(part));
  const decipher = createCfbDecipher(key);
  decipher.add(Buffer.concat(parts).subarray(1));
  return decipher.take();
}

/** As `hexdump -C` prints it: a `*` stands for lines that are equal to the one before. */
function hexdump(bytes: Uint8Array): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const lines: string[] = [];
  let before = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const words = row.map(byte => hex(byte, 2));
    const [left, right] = [words.slice(0, 8).join(' '), words.slice(8).join(' ')];
    const text = row.map(byte => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    const line = `${left.padEnd(23)}  ${right.padEnd(23)}  |${text}|`;
    if (line !== before) lines.push(`${hex(at, 8)}  ${line}`);
    else if (lines.at(-1) !== '*') lines.push('*');
    before = line;
  }
  return [...lines, hex(bytes.length, 8)].join('\n');
}

/** The bytes of a hexdump. */
function parseHexdump(dump: string): Buffer {
  const lines = dump.trimEnd().split('\n');
  let bytes = Buffer.alloc(0);
  for (const line of lines) {
    if (line === '*') continue;
    const at = Number.parseInt(line.slice(0, 8), 16);
    // What a `*` stands for goes on up to here.
    while (bytes.length < at) bytes = Buffer.concat([bytes, bytes.subarray(-16)]);
    bytes = Buffer.concat([bytes, Buffer.from(line.slice(10, 58).replaceAll(' ', ''), 'hex')]);
  }
  return bytes;
}

const spaced = (bytes: Uint8Array) =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
const shownLines = (text: Uint8Array) => Buffer.from(text).toString('utf8').replaceAll('\n', '$\n').trimEnd();

/** Every block of the example, by the name in its comment. */
async function makeBlocks(t: Scope): Promise<Map<string, string>> {
  const base = tempDir(t);
  await writeSet(base, full, firstTree, firstContents);
  await writeSet(base, incremental, secondTree, secondContents);
  const target = join(base, 'target');
  const names = readdirSync(target).sort();
  const read = (pattern: RegExp) => readFileSync(join(target, names.find(name => pattern.test(name))!));
  const manifest = read(/full.*\.manifest$/);
  const { message, inside } = await sealed(manifest, false);
  const compressed = await sealed(manifest, true);
  const gz = createEnvelope({ form: 'gz', mtimeSeconds: endOf(full) });
  const list = names.map(name => `${String(readFileSync(join(target, name)).length).padStart(6)}  ${name}`);
  return new Map([
    ['listing', list.join('\n')],
    ['full-manifest', shownLines(manifest)],
    ['full-volume', hexdump(read(/full.*\.difftar$/))],
    ['full-sigtar', hexdump(read(/full-signatures/))],
    ['inc-manifest', shownLines(read(/inc.*\.manifest$/))],
    ['inc-volume', hexdump(read(/inc.*\.difftar$/))],
    ['inc-sigtar', hexdump(read(/new-signatures/))],
    ['delta-of-equal', spaced(deltaOf('y', 'y'))],
    ['delta-to-empty', spaced(deltaOf('y', ''))],
    ['delta-from-empty', spaced(deltaOf('', 'full'))],
    ['message', hexdump(message)],
    ['inside', hexdump(inside)],
    ['compressed-head', spaced(compressed.inside.subarray(0, 32))],
    ['empty-gzip', spaced(Buffer.concat([await gz.start(), await gz.end()]))],
  ]);
}

const BLOCK = /<!-- example: (\S+) -->\n```\n([\s\S]*?)\n```/g;

function readBlocks(): Map<string, string> {
  const text = readFileSync(formatFile, 'utf8');
  return new Map([...text.matchAll(BLOCK)].map(([, name, block]) => [name!, block!]));
}

test('FORMAT.md shows the bytes that a backup writes', async t => {
  const made = await makeBlocks(t);
  if (process.env['UPDATE_FORMAT'] === '1') {
    const text = readFileSync(formatFile, 'utf8');
    const updated = text.replace(
      BLOCK,
      (_, name) => `<!-- example: ${name} -->\n\`\`\`\n${made.get(name)}\n\`\`\``,
    );
    writeFileSync(formatFile, updated);
  }
  assert.deepEqual(readBlocks(), made);
});

test('FORMAT.md has every section that the sources refer to', () => {
  const headings = new Set(
    [...readFileSync(formatFile, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!),
  );
  const src = join(root, 'src');
  const references = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .flatMap(name => [...readFileSync(join(src, name), 'utf8').matchAll(/FORMAT\.md, "([^"]+)"/g)])
    .map(([, heading]) => heading!);
  assert.ok(references.length > 0);
  assert.deepEqual(
    references.filter(heading => !headings.has(heading)),
    [],
  );
});

test('tar-stream reads the volumes and signatures that FORMAT.md shows', async () => {
  const blocks = readBlocks();
  const namesIn = async (block: string) => {
    const names: string[] = [];
    const extract = tar.extract();
    extract.end(parseHexdump(blocks.get(block)!));
    for await (const member of extract) {
      names.push(member.header.name);
      member.resume();
    }
    return names;
  };
  assert.deepEqual(await namesIn('full-volume'), [
    'snapshot/./',
    'snapshot/hello',
    'snapshot/link',
    'snapshot/é',
  ]);
  assert.deepEqual(await namesIn('full-sigtar'), [
    'snapshot/',
    'signature/hello',
    'snapshot/link',
    'signature/é',
  ]);
  assert.deepEqual(await namesIn('inc-volume'), ['snapshot/./', 'diff/hello', 'deleted/link']);
  assert.deepEqual(await namesIn('inc-sigtar'), ['snapshot/', 'signature/hello', 'deleted/link']);
});

test('gpg opens the message that FORMAT.md shows', t => {
  if (!needTool(t, 'gpg')) return;
  const blocks = readBlocks();
  const opened = createGpg(t)(['--decrypt'], PASSPHRASE, parseHexdump(blocks.get('message')!));
  assert.equal(shownLines(opened), blocks.get('full-manifest'));
});

test('duplicity restores the sets that FORMAT.md shows', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  const target = join(base, 'target');
  mkdirSync(target);
  const blocks = readBlocks();
  const kinds: readonly (readonly [RegExp, string])[] = [
    [/full\..*manifest$/, 'full-manifest'],
    [/full\..*difftar$/, 'full-volume'],
    [/full-signatures/, 'full-sigtar'],
    [/inc\..*manifest$/, 'inc-manifest'],
    [/inc\..*difftar$/, 'inc-volume'],
    [/new-signatures/, 'inc-sigtar'],
  ];
  for (const line of blocks.get('listing')!.split('\n')) {
    const name = line.trim().split('  ')[1]!;
    const block = blocks.get(kinds.find(([pattern]) => pattern.test(name))![1])!;
    const isText = name.endsWith('.manifest');
    const bytes = isText ? Buffer.from(`${block.replaceAll(/\$$/gm, '')}\n`) : parseHexdump(block);
    writeFileSync(join(target, name), bytes);
  }
  const duplicity = createDuplicity(t);
  await duplicity.restore(`file://${target}`, join(base, 'out'));
  assert.deepEqual(readdirSync(join(base, 'out')).sort(), ['hello', 'é']);
  assert.equal(readFileSync(join(base, 'out/hello'), 'latin1'), secondContents.hello);
  assert.equal(readFileSync(join(base, 'out/é'), 'latin1'), 'y');
});
