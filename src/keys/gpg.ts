/**
 * Asking gpg, for what only it can give: keys of its keyring, and what its agent or a smartcard opens. It gets small
 * inputs, has a time limit, and never sees a passphrase on its command line.
 */

import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { BackupError, type ErrorCode, KEY_ABSENT, systemCode } from '../errors.ts';

export interface GpgOptions {
  /** Program name or path; default `gpg`. */
  readonly binary?: string | undefined;
  /** GNUPGHOME, if not gpg's own choice. */
  readonly homedir?: string | undefined;
  /** Whether the keys that gpg.conf names with `encrypt-to` are recipients, too; default true. */
  readonly encryptTo?: boolean | undefined;
  /** More options, such as those that the user has in `--gpg-options`. */
  readonly arguments?: readonly string[] | undefined;
  /** Default 60 s, or 300 s when a person may be asked for a PIN. */
  readonly timeoutMs?: number | undefined;
}

export interface GpgRun {
  readonly input?: Uint8Array;
  /** Bytes of one line; gpg is then kept from asking anybody. Lent. */
  readonly passphrase?: Uint8Array | undefined;
  /** Whether a person may be asked. */
  readonly interactive?: boolean;
}

export interface GpgAnswer {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  /** What gpg says for people, cut after some KiB. */
  readonly stderr: string;
}

const MAX_STDOUT = 16 * 1024 * 1024;
const MAX_STDERR = 16 * 1024;

/**
 * Runs gpg to its end, whatever its exit status.
 * @throws BackupError `usage` when there is no gpg or it gives absurdly much; `passphrase-missing` when it takes too long
 */
export function askGpg(
  options: GpgOptions,
  command: readonly string[],
  run: GpgRun = {},
): Promise<GpgAnswer> {
  const { binary = 'gpg', timeoutMs = run.interactive ? 300_000 : 60_000 } = options;
  const loopback = ['--pinentry-mode', 'loopback', '--passphrase-fd', '3'];
  const asking = run.passphrase ? loopback : run.interactive ? [] : ['--pinentry-mode', 'cancel'];
  const args = [
    ...['--batch', '--no-tty', '--no-auto-check-trustdb'],
    ...(options.homedir === undefined ? [] : ['--homedir', options.homedir]),
    ...(options.arguments ?? []),
    ...asking,
    ...command,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    const [stdin, , , passphrasePipe] = child.stdio as unknown as [Writable, unknown, unknown, Writable];
    const stdout: Buffer[] = [];
    let size = 0;
    let stderr = '';
    const giveUp = (code: ErrorCode, message: string, cause?: unknown, facts = {}) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      for (const pipe of child.stdio) pipe?.destroy(); // a child of gpg's may still hold the other ends
      reject(new BackupError(code, message, facts, { cause }));
    };
    const timer = setTimeout(() => {
      const waits = 'it may be waiting for a passphrase, a card or a lock';
      giveUp('passphrase-missing', `${binary} did not answer within ${timeoutMs / 1000} seconds; ${waits}.`);
    }, timeoutMs);
    child.stdout.on('data', (bytes: Buffer) => {
      size += bytes.length;
      if (size > MAX_STDOUT) giveUp('usage', `${binary} gives more than it should.`);
      else stdout.push(bytes);
    });
    child.stderr.on('data', (bytes: Buffer) => {
      if (stderr.length < MAX_STDERR) stderr += bytes.toString('utf8');
    });
    for (const pipe of [stdin, passphrasePipe]) pipe.on('error', () => {}); // gpg need not read to the end
    stdin.end(run.input ?? new Uint8Array(0));
    passphrasePipe.end(run.passphrase ? Buffer.concat([run.passphrase, Uint8Array.of(0x0a)]) : undefined);
    child.on('error', cause => {
      const isAbsent = systemCode(cause) === 'ENOENT'; // and with it all keys that it might have had
      const why = isAbsent ? 'is not installed' : `can't be started: ${cause.message}`;
      const facts = isAbsent ? { [KEY_ABSENT]: 1 } : {};
      giveUp('usage', `${binary} ${why}; keys can also be given as files.`, cause, facts);
    });
    child.on('close', exitCode => {
      clearTimeout(timer);
      resolve({ exitCode, stdout: Buffer.concat(stdout), stderr });
    });
  });
}

/** gpg's own words, for a message: the last line, without what only says who speaks. */
export function gpgSays({ stderr }: GpgAnswer): string {
  const lines = stderr.split('\n').filter(line => line !== '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing may steer the terminal
  return (lines.at(-1) ?? 'no reason given').replace(/^gpg: /, '').replace(/[\x00-\x1f\x7f]/g, ' ');
}
