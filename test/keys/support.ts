/** gpg in a private home, with keys that are made for the test and an agent that does not outlive it. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { collect } from '../../src/streams.ts';
import { createEnvelope, type EnvelopeOptions } from '../../src/volumes/envelope.ts';
import { type OpenOptions, openMessage } from '../../src/volumes/openpgp-open.ts';
import type { Secrets } from '../../src/volumes/openpgp-session.ts';
import { type Scope, tempDir } from '../support/temp-dir.ts';
import { lentChunks } from '../volumes/openpgp-support.ts';

export interface GpgResult {
  readonly status: number | null;
  readonly stdout: Buffer;
  /** What gpg says for people. */
  readonly stderr: string;
}

export interface GpgHome {
  readonly home: string;
  /** Runs gpg whatever comes of it; `passphrase` goes by way of a pipe. */
  run(args: readonly string[], input?: Uint8Array, passphrase?: string): GpgResult;
  /** As `run`, but fails unless gpg ends well; its output. */
  must(args: readonly string[], input?: Uint8Array, passphrase?: string): Buffer;
  /** Makes a primary key and, with `encryption`, a subkey for it; the primary key's fingerprint. */
  makeKey(spec: KeySpec): string;
  /** Writes public or private keys into a file in the home. */
  exportKey(id: string, what: 'public' | 'secret', passphrase?: string, armor?: boolean): string;
  /** Ends the agent, which forgets every passphrase. */
  forget(): void;
}

export interface KeySpec {
  readonly name: string;
  /** For example rsa2048 or ed25519. */
  readonly algorithm: string;
  readonly encryption?: string;
  readonly passphrase?: string;
  readonly expires?: string;
}

export function createGpgHome(t: Scope): GpgHome {
  const home = tempDir(t);
  writeFileSync(join(home, 'gpg-agent.conf'), 's2k-count 65536\n'); // each use of a locked key costs a derivation
  const env = { ...process.env, GNUPGHOME: home, LC_ALL: 'C.UTF-8' };
  const forget = () => void spawnSync('gpgconf', ['--homedir', home, '--kill', 'all']);
  t.after(forget);
  const run = (
    args: readonly string[],
    input: Uint8Array = new Uint8Array(0),
    passphrase = '',
  ): GpgResult => {
    const common = ['--batch', '--no-tty', '--pinentry-mode', 'loopback', '--passphrase-fd', '0'];
    const result = spawnSync('gpg', [...common, '--trust-model', 'always', ...args], {
      input: Buffer.concat([Buffer.from(`${passphrase}\n`), input]),
      maxBuffer: 2 ** 28,
      env,
    });
    return { status: result.status, stdout: result.stdout, stderr: result.stderr.toString() };
  };
  const must = (args: readonly string[], input?: Uint8Array, passphrase?: string) => {
    const { status, stdout, stderr } = run(args, input, passphrase);
    if (status !== 0) throw new Error(`gpg ${args.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  };
  return {
    home,
    run,
    must,
    forget,
    makeKey({ name, algorithm, encryption, passphrase, expires = 'never' }) {
      const made = ['--status-fd', '1', '--quick-generate-key', name, algorithm, 'default', expires];
      const [fingerprint] = /[0-9A-F]{40}/.exec(must(made, undefined, passphrase).toString()) ?? [''];
      if (encryption)
        must(['--quick-add-key', fingerprint, encryption, 'encr', expires], undefined, passphrase);
      return fingerprint;
    },
    exportKey(id, what, passphrase, armor = false) {
      const path = join(home, `${id}.${what}`);
      const command = what === 'secret' ? '--export-secret-keys' : '--export';
      writeFileSync(path, must([...(armor ? ['--armor'] : []), command, id], undefined, passphrase));
      return path;
    },
  };
}

/** A whole object made in the way of a backup. */
export async function seal(
  plain: Uint8Array,
  options: Omit<Extract<EnvelopeOptions, { form: 'gpg' }>, 'form' | 'random' | 'mtimeSeconds'>,
  size = 100_000,
): Promise<Buffer> {
  const envelope = createEnvelope({
    form: 'gpg',
    random: randomBytes,
    mtimeSeconds: 1_700_000_000,
    ...options,
  });
  const out: Promise<Uint8Array>[] = [envelope.start()];
  for (let from = 0; from < plain.length; from += size)
    out.push(envelope.push(plain.subarray(from, from + size)));
  out.push(envelope.end());
  return Buffer.concat(await Promise.all(out));
}

export async function openSealed(
  message: Uint8Array,
  secrets: Secrets,
  options?: OpenOptions,
): Promise<Buffer> {
  return Buffer.from(await collect(openMessage(lentChunks(message, 9_000), secrets, options)));
}
