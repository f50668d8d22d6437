/** What the tests of the envelope share: chunking, a cheap session key, and gpg in a home of its own. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { decodeCount, deriveKey, hashIds } from '../../src/volumes/openpgp-s2k.ts';
import type { SealingKey, Secrets } from '../../src/volumes/openpgp-session.ts';

/** The same bytes in chunks of `size`, each overwritten as soon as the next is asked for: chunks are lent. */
export async function* lentChunks(
  bytes: Uint8Array,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const slab = Buffer.alloc(size);
  for (let from = 0; from < bytes.length; from += size) {
    const chunk = slab.subarray(0, Math.min(size, bytes.length - from));
    chunk.set(bytes.subarray(from, from + chunk.length));
    yield chunk;
    slab.fill(0xee);
  }
}

/** Bytes that look random and are the same in every run. */
export function noise(length: number, seed = 'noise'): Buffer {
  return createHash('shake256', { outputLength: Math.max(1, length) })
    .update(seed)
    .digest()
    .subarray(0, length);
}

/** A text of the given length that deflate likes. */
export function text(length: number): Buffer {
  let lines = '';
  for (let i = 0; lines.length < length; i++) lines += `line ${i} of a text that says ${(i * 7919) % 1009}\n`;
  return Buffer.from(lines).subarray(0, length);
}

export const passphrase = 'pä ss wörd';
export const secrets: Secrets = { passphrase: async () => Buffer.from(passphrase) };
export const wrongSecrets: Secrets = { passphrase: async () => Buffer.from('guess') };

/** A sealing key whose derivation costs next to nothing, for tests that open many messages. */
export function cheapKey(words = passphrase): SealingKey {
  const salt = noise(8, 'salt');
  const key = deriveKey(Buffer.from(words), { hash: hashIds.sha1, salt, count: decodeCount(0) }, 32);
  return { packets: Uint8Array.of(0x8c, 13, 4, 9, 3, hashIds.sha1, ...salt, 0), key, algorithm: 9 };
}

export const pretendRandom = (length: number): Uint8Array => noise(length, 'random');

/** gpg with a home folder that is gone after the test; throws unless it ends well and without a warning. */
export function createGpg(t: TestContext) {
  const home = mkdtempSync(join(tmpdir(), 'tsbackup-gpg-'));
  t.after(() => {
    spawnSync('gpgconf', ['--homedir', home, '--kill', 'all']);
    rmSync(home, { recursive: true, force: true });
  });
  return (args: readonly string[], words: string, input: Uint8Array): Buffer => {
    const line = Buffer.from(`${words}\n`);
    const run = spawnSync(
      'gpg',
      ['--homedir', home, '--batch', '--pinentry-mode', 'loopback', '--passphrase-fd', '0', ...args],
      { input: Buffer.concat([line, input]), maxBuffer: 2 ** 28, env: { ...process.env, LC_ALL: 'C' } },
    );
    const said = run.stderr.toString();
    if (run.status !== 0 || /warning/i.test(said)) throw new Error(`gpg ended with ${run.status}: ${said}`);
    return run.stdout;
  };
}
