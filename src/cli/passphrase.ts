/**
 * Where the passphrase comes from, in this order: `--passphrase-file`, `--passphrase-command`, the environment
 * variable PASSPHRASE, the profile, a question on the terminal. It is bytes, the first line only (gpg reads one line), and is never
 * put on a command line, into a log or a message.
 */

import { openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { BackupError } from '../errors.ts';
import { outputOf } from '../profiles/input.ts';
import { firstLine, readFirstLine, readVariable } from '../profiles/secrets.ts';

export interface PassphraseOptions {
  readonly passphraseFile?: string | undefined;
  readonly passphraseCommand?: string | undefined;
  /** Of the profile. */
  readonly configured?: (() => Promise<Uint8Array>) | undefined;
  /** Ends the waiting for a file or a command; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Asks a question without echo; undefined when there is no terminal. Handed in so that tests can answer. */
export type AskHidden = (question: string, signal?: AbortSignal) => Promise<Uint8Array | undefined>;

/**
 * The passphrase, asked for at most once per run.
 * @param confirm for a new archive: a typed one must be typed twice, as a slip would lock the user out
 * @throws BackupError `passphrase-missing` without any source of one, `usage` for an empty one, a file or command
 *   that gives none, and one for a new archive that nobody could type
 */
export function createPassphraseSource(
  options: PassphraseOptions,
  environment: NodeJS.ProcessEnv,
  ask: AskHidden,
): (confirm: boolean) => Promise<Uint8Array> {
  let known: Promise<Uint8Array> | undefined;
  return confirm => {
    known ??= find(options, environment, ask, confirm).then(found => {
      if (confirm) checkTypable(found);
      return found;
    });
    return known;
  };
}

/** For a new archive, which other programs and people are to open too. @throws BackupError `usage` */
export function checkTypable(passphrase: Uint8Array): void {
  const bytes = Buffer.from(passphrase);
  const what = bytes.includes(0)
    ? 'has a NUL byte, where it ends for gpg and duplicity'
    : bytes.at(-1) === 0x0d
      ? 'ends with a carriage return, as the lines of Windows do'
      : bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)
        ? 'begins with a byte order mark, which editors of Windows write'
        : undefined;
  if (what === undefined) return;
  throw new BackupError('usage', `the passphrase ${what}: nobody could type it; remove that first`);
}

const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf);

/** Of the key that signs: the environment variable SIGN_PASSPHRASE, else that of the profile, else the other one. */
export function createSignPassphraseSource(
  environment: NodeJS.ProcessEnv,
  passphrase: (confirm: boolean) => Promise<Uint8Array>,
  configured?: () => Promise<Uint8Array>,
): () => Promise<Uint8Array> {
  if (environment.SIGN_PASSPHRASE !== undefined)
    return async () => readVariable('SIGN_PASSPHRASE', environment, 'sign-passphrase-file in a profile')!;
  return configured ?? (() => passphrase(false));
}

async function find(
  options: PassphraseOptions,
  environment: NodeJS.ProcessEnv,
  ask: AskHidden,
  confirm: boolean,
): Promise<Uint8Array> {
  if (options.passphraseFile !== undefined) {
    return notEmpty(
      await readFirstLine(options.passphraseFile, 'the passphrase file', options.signal),
      `the passphrase file ${options.passphraseFile}`,
    );
  }
  if (options.passphraseCommand !== undefined) {
    return notEmpty(
      firstLine(await outputOf(options.passphraseCommand, 'the passphrase command', options.signal)),
      'the passphrase command',
    );
  }
  const fromEnvironment = readVariable('PASSPHRASE', environment, '--passphrase-file');
  if (fromEnvironment !== undefined) return notEmpty(fromEnvironment, 'the environment variable PASSPHRASE');
  if (options.configured) return options.configured();
  for (;;) {
    const typed = await ask('Passphrase of the backup: ', options.signal);
    if (typed === undefined) {
      throw new BackupError(
        'passphrase-missing',
        'no passphrase: set PASSPHRASE, or use --passphrase-file or --passphrase-command (there is no terminal to ask on); --no-encryption stores without one',
      );
    }
    if (typed.length === 0) {
      writeSync(2, 'An empty passphrase would protect nothing; once more.\n');
      continue;
    }
    if (!confirm) return typed;
    const again = await ask('The same once more: ', options.signal);
    if (again !== undefined && Buffer.from(typed).equals(again)) return typed;
    writeSync(2, 'The two differ; once more.\n');
  }
}

function notEmpty(passphrase: Uint8Array, source: string): Uint8Array {
  if (passphrase.length === 0) {
    throw new BackupError('usage', `${source} is empty: an empty passphrase would protect nothing`);
  }
  return passphrase;
}

/** Asks on the controlling terminal, echo off; undefined where there is none. */
export const askOnTerminal: AskHidden = async (question, signal) => {
  let fd: number;
  try {
    fd = openSync('/dev/tty', 'r+');
  } catch {
    return undefined;
  }
  const terminal = new ReadStream(fd);
  try {
    terminal.setRawMode(true);
    writeSync(fd, question);
    return await readHidden(terminal, signal);
  } finally {
    terminal.setRawMode(false);
    writeSync(fd, '\n');
    terminal.destroy();
  }
};

/** One line in raw mode: backspace and Ctrl-U edit, Ctrl-D gives up, Ctrl-C ends the run. */
function readHidden(terminal: ReadStream, signal: AbortSignal | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const typed: number[] = [];
    const stop = () => done(() => reject(signal!.reason));
    const done = (end: () => void) => {
      signal?.removeEventListener('abort', stop);
      terminal.off('data', onData);
      terminal.pause();
      end();
    };
    const onData = (data: Buffer) => {
      for (const byte of data) {
        if (byte === 0x0d || byte === 0x0a) return done(() => resolve(Uint8Array.from(typed)));
        if (byte === 0x03 && signal) {
          process.kill(process.pid, 'SIGINT'); // as the terminal would; whoever hears it aborts the signal
          return;
        }
        if (byte === 0x03 || byte === 0x04) {
          return done(() => reject(new BackupError('passphrase-missing', 'no passphrase was given')));
        }
        if (byte === 0x15) typed.length = 0;
        else if (byte === 0x7f || byte === 0x08) {
          while (typed.length > 0 && (typed.pop()! & 0xc0) === 0x80); // a whole UTF-8 character
        } else typed.push(byte);
      }
    };
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) return stop();
    terminal.on('data', onData);
    terminal.on('error', error => done(() => reject(error)));
  });
}
