/**
 * What rooms throw, and what a code means: whether the same call may succeed later, and which exit status a run
 * that ends with it has. Callers match `code`, never text.
 */

import { constants } from 'node:os';

/** Exit statuses of the program; the table in README.md says the same in words. */
export const exitStatus = {
  done: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  different: 4,
  guarded: 5,
  nothingToRestore: 10,
  locked: 11,
  wrongPassphrase: 12,
  targetUnreachable: 13,
  waitingForThaw: 14,
  sourceUnavailable: 75,
} as const;

interface CodeTraits {
  readonly exit: number;
  readonly retry: boolean;
}

const codes = {
  /** Command line or configuration is wrong. */
  usage: { exit: exitStatus.usage, retry: false },
  /** An object, packet, tar stream, signature or delta breaks its format or its integrity check. */
  damaged: { exit: exitStatus.failed, retry: false },
  /** A volume that a manifest names is not at the target, or its SHA-1 differs. */
  'volume-missing': { exit: exitStatus.failed, retry: false },
  'volume-damaged': { exit: exitStatus.failed, retry: true },
  /** A signature was asked for, and there is none, or by another key, or it does not fit the content. */
  'wrong-signature': { exit: exitStatus.failed, retry: false },
  /** Correct OpenPGP, but of a kind that we do not read (AEAD, unknown algorithm …). */
  unsupported: { exit: exitStatus.failed, retry: false },
  'wrong-passphrase': { exit: exitStatus.wrongPassphrase, retry: false },
  'passphrase-missing': { exit: exitStatus.wrongPassphrase, retry: false },
  /** No backup at the target, no set for the time, or the path is in none. */
  'nothing-to-restore': { exit: exitStatus.nothingToRestore, retry: false },
  'no-chain': { exit: exitStatus.failed, retry: false },
  /** A cached copy is not what the target has: to be copied again. */
  'cache-damaged': { exit: exitStatus.failed, retry: true },
  /** The index in the archive cache says what can't be: to be made again from the signatures. */
  'catalog-damaged': { exit: exitStatus.failed, retry: true },
  /** The file in the middle of which a run broke off is another one now: to be begun anew. */
  'cut-file-changed': { exit: exitStatus.failed, retry: true },
  /** What an interrupted run left in the archive cache can't be used. */
  'journal-damaged': { exit: exitStatus.failed, retry: true },
  /** The chain is of another source; a guard. */
  'source-mismatch': { exit: exitStatus.guarded, retry: false },
  locked: { exit: exitStatus.locked, retry: false },
  'source-missing': { exit: exitStatus.sourceUnavailable, retry: true },
  'source-unavailable': { exit: exitStatus.sourceUnavailable, retry: true },
  /** Another file system is where the source was when the run began: what seemed to vanish did not. */
  'source-unmounted': { exit: exitStatus.sourceUnavailable, retry: true },
  'guard-stopped': { exit: exitStatus.guarded, retry: false },
  'target-not-empty': { exit: exitStatus.usage, retry: false },
  /** Storage: the place itself can't be reached or refuses us. */
  'target-unreachable': { exit: exitStatus.targetUnreachable, retry: true },
  'target-denied': { exit: exitStatus.targetUnreachable, retry: false },
  'target-full': { exit: exitStatus.failed, retry: false },
  'object-missing': { exit: exitStatus.failed, retry: false },
  /** In cold storage (S3 Glacier): it has to be thawed before it can be read. */
  'object-cold': { exit: exitStatus.waitingForThaw, retry: false },
  /** The local disk (archive cache, temporary folder, restore target) failed or is full. */
  'local-io': { exit: exitStatus.failed, retry: false },
  /** A mail or a ping could not be sent; never what a run ends with. */
  'notice-failed': { exit: exitStatus.failed, retry: true },
  /** A command of the user's before a backup has failed. */
  'hook-failed': { exit: exitStatus.failed, retry: false },
  interrupted: { exit: exitStatus.failed, retry: false },
} as const satisfies Record<string, CodeTraits>;

export type ErrorCode = keyof typeof codes;

/** What rooms throw: a stable code, a sentence for the user, the facts as data; `cause` keeps the first reason. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: ErrorCode;
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(
    code: ErrorCode,
    message: string,
    facts: Readonly<Record<string, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.facts = facts;
  }
}

/** The fact that what failed wants a private key that is not on this machine, as against one that can't be used. */
export const KEY_ABSENT = 'keyAbsent';

/** Whether that is why, here or as the first reason. */
export function isKeyAbsent(error: unknown): boolean {
  if (!(error instanceof BackupError)) return false;
  return error.facts[KEY_ABSENT] !== undefined || isKeyAbsent(error.cause);
}

/** What a code means for a caller: the exit status of a run that ends with it, and whether trying again can help. */
export function traitsOf(code: ErrorCode): CodeTraits {
  return codes[code];
}

/** The system's error name (`ENOENT` …) of anything thrown, or undefined. */
export function systemCode(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  if (typeof code !== 'string') return undefined;
  return /^E[A-Z0-9]+$/.test(code) ? code : UNKNOWN.test(code) ? namesOf().get(Number(errno)) : undefined;
}

/** Whether an fsync failed because the file system has none (some FUSE and SMB mounts): it is taken as it is. */
export function isSyncUnknown(error: unknown): boolean {
  return ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(error) ?? '');
}

/** How Node begins what it says of errors that it has no name for: EDQUOT, ESTALE, ENOMEDIUM and others. */
const UNKNOWN = /^(Unknown system error -\d+|UNKNOWN\b)/; // the second in some calls: writeSync, readSync of a folder

let systemNames: ReadonlyMap<number, string> | undefined;
/** By negative number, as Node has it. ENOMEDIUM is Linux's. */
function namesOf(): ReadonlyMap<number, string> {
  systemNames ??= new Map([
    ...Object.entries(constants.errno).map(([name, number]) => [-number, name] as const),
    [-123, 'ENOMEDIUM'],
  ]);
  return systemNames;
}

/** What Node does not say. */
const words: Readonly<Record<string, string>> = {
  EDQUOT: 'disk quota exceeded',
  ENOLINK: 'link has been severed',
  ENOMEDIUM: 'no medium found',
  ESTALE: 'stale file handle',
};

/** The error to tell when the system has no open file left for us, here or as the first reason; else undefined. */
export function tooManyFiles(error: unknown): BackupError | undefined {
  // A thread that can't begin has the system's name in its text only.
  const code =
    systemCode(error) ?? /^Worker initialization failure: (E[MN]FILE)$/.exec(messageOf(error))?.[1];
  if (code !== 'EMFILE' && code !== 'ENFILE') {
    return error instanceof Error && error.cause !== undefined ? tooManyFiles(error.cause) : undefined;
  }
  const text = `Too many files are open (${code}). Raise the limit of open files (ulimit -n).`;
  return new BackupError('local-io', text, {}, { cause: error });
}

/** A thrown thing in one line for a person, without stack. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const name = UNKNOWN.test(error.message) ? systemCode(error) : undefined;
  if (name === undefined) return error.message;
  // Node has said its number twice, as the name and as the words, or nothing in either.
  return error.message.replace(
    /^([^:,]+)(: (\1|unknown error))?/,
    `${name}: ${words[name] ?? 'an error of the system'}`,
  );
}

/** A system error's reason without the call and the raw path, which could steer a terminal. */
export function reasonOf(error: unknown): string {
  return messageOf(error).replace(/, [a-z]+( '.*)?$/s, '');
}

/** What messageOf tells as a part of a longer sentence: without its full stop. */
export function clauseOf(error: unknown): string {
  return messageOf(error).replace(/\.$/, '');
}

/** What ended a run, in one line: a BackupError says it all; anything else was not foreseen and names itself. */
export function describeFailure(error: unknown): string {
  const text = messageOf(error).replaceAll('\n', ' ');
  return error instanceof BackupError ? text : `${text} (unexpected; -v debug shows where)`;
}

/** The exit status of a run that ends with it. */
export function statusOf(error: unknown): number {
  return error instanceof BackupError ? traitsOf(error.code).exit : exitStatus.failed;
}
