/**
 * A conversation with gpg-agent (the Assuan protocol: lines, in which D is data and INQUIRE a question back). It
 * signs digests, so the signing key may be on a smartcard and the bulk of an archive stays here.
 * @see GnuPG manual, "Agent's Assuan Protocol"
 */

import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { BackupError, clauseOf, messageOf } from '../errors.ts';
import type { GpgOptions } from './gpg.ts';

const run = promisify(execFile);

/** Starts the agent if none runs. @throws BackupError `usage` */
export async function findAgent({ homedir }: GpgOptions): Promise<string> {
  const home = homedir === undefined ? [] : ['--homedir', homedir];
  try {
    await run('gpgconf', [...home, '--launch', 'gpg-agent'], { timeout: 30_000 });
    const { stdout } = await run('gpgconf', [...home, '--list-dirs', 'agent-socket'], { timeout: 30_000 });
    return decodeURIComponent(stdout.trim());
  } catch (cause) {
    throw new BackupError('usage', `gpg-agent can't be started: ${clauseOf(cause)}.`, {}, { cause });
  }
}

/** What the agent answered with ERR. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  /** GnuPG's error number, without its source. */
  readonly number: number;

  constructor(text: string) {
    super(text);
    this.number = Number.parseInt(text, 10) & 0xffff;
  }
}

/** Longest answer that we take; a signature has some hundred bytes. */
const MAX_ANSWER = 64 * 1024;

export interface AgentRequest {
  readonly commands: readonly string[];
  /** The answer to the question PASSPHRASE; without it there is none. */
  readonly passphrase?: Uint8Array | undefined;
  readonly timeoutMs: number;
}

/**
 * Gives commands one after the other in a new connection.
 * @returns data of the last one's answer
 * @throws AgentError at the first command that fails; BackupError `passphrase-missing` when it takes too long
 */
export function askAgent(socketPath: string, request: AgentRequest): Promise<Buffer> {
  const commands = [...request.commands];
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let unread = '';
    let data: Buffer[] = [];
    let taken = 0;
    const end = (finish: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      finish();
    };
    const fail = (error: unknown) => end(() => reject(error));
    const timer = setTimeout(
      () =>
        fail(
          new BackupError(
            'passphrase-missing',
            `gpg-agent did not answer within ${request.timeoutMs / 1000} seconds; it may be waiting for a passphrase or a card.`,
          ),
        ),
      request.timeoutMs,
    );
    const send = (line: string) => socket.write(`${line}\n`, 'latin1');
    const takeLine = (line: string) => {
      if (line.startsWith('D ')) data.push(unescapeText(line.slice(2)));
      else if (line.startsWith('INQUIRE PASSPHRASE') && request.passphrase) {
        send(`D ${escapeBytes(request.passphrase)}`);
        send('END');
      } else if (line.startsWith('INQUIRE')) send('CAN');
      else if (line.startsWith('ERR ')) fail(new AgentError(line.slice(4)));
      else if (/^OK\b/.test(line)) {
        const next = commands.shift();
        if (next === undefined) return end(() => resolve(Buffer.concat(data)));
        data = [];
        send(next);
      }
    };
    socket.on('data', bytes => {
      taken += bytes.length;
      if (taken > MAX_ANSWER) return fail(new BackupError('unsupported', 'gpg-agent answers with too much.'));
      const lines = (unread + bytes.toString('latin1')).split('\n');
      unread = lines.pop()!;
      for (const line of lines) takeLine(line);
    });
    socket.on('error', cause =>
      fail(new BackupError('usage', `gpg-agent can't be reached: ${messageOf(cause)}.`, {}, { cause })),
    );
    socket.on('close', () => fail(new BackupError('usage', 'gpg-agent has hung up.')));
  });
}

function escapeBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  return text.replace(
    /[%\r\n]/g,
    char => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
}

function unescapeText(text: string): Buffer {
  const plain = text.replace(/%([0-9A-Fa-f]{2})/g, (_, code) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  return Buffer.from(plain, 'latin1');
}

/**
 * The numbers of a signature in the agent's answer, an S-expression such as `(7:sig-val(3:rsa(1:s256:…)))`, in order.
 * @throws BackupError `unsupported`
 */
export function signatureNumbers(answer: Buffer): Buffer[] {
  const numbers: Buffer[] = [];
  let depth = 0;
  let inList = 0; // how many strings the list at hand has shown
  for (let at = 0; at < answer.length; ) {
    const char = String.fromCharCode(answer[at]!);
    if (char === '(' || char === ')') {
      depth += char === '(' ? 1 : -1;
      inList = 0;
      at++;
      continue;
    }
    const colon = answer.indexOf(':', at);
    const length = Number(answer.toString('latin1', at, colon));
    if (colon < 0 || !Number.isSafeInteger(length) || colon + 1 + length > answer.length) break;
    const value = answer.subarray(colon + 1, colon + 1 + length);
    if (depth === 3 && ++inList === 2) numbers.push(value);
    at = colon + 1 + length;
  }
  if (depth !== 0 || numbers.length === 0)
    throw new BackupError('unsupported', 'gpg-agent answers with a signature that we do not understand.');
  return numbers;
}
