/** Exit statuses for scripts that know duplicity's: `--duplicity-exit-codes`. */

import { BackupError, type ErrorCode, exitStatus } from '../errors.ts';
import type { Action } from './actions.ts';

/** Statuses of duplicity's that several of our codes come to. */
const USER_ERROR = 23;
const UNFORESEEN = 30;

const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  usage: 2,
  'source-mismatch': 42,
  'target-not-empty': 11,
  'source-missing': 13,
  'source-unavailable': 13,
  'source-unmounted': 13,
  'no-chain': 17,
  'nothing-to-restore': 19,
  'volume-damaged': 21,
  locked: USER_ERROR,
  'guard-stopped': USER_ERROR,
  unsupported: 31,
  'wrong-passphrase': 31,
  'target-unreachable': 50,
  'object-cold': 50,
  'target-denied': 51,
  'object-missing': 52,
  'target-full': 53,
};

const removing = [
  ...(['cleanup', 'remove-older-than'] as const),
  ...(['remove-all-but-n-full', 'remove-all-inc-of-but-n-full'] as const),
];

/** What they come to is a notice of duplicity's, which -v0 to -v2 silence: from cron all that is printed is a mail. */
export const endsWithNotice: ReadonlySet<Action> = new Set<Action>(['verify', ...removing]);

/** They take a folder that is not there for an archive without backups: wrappers call them before the first one. */
const contentWithNothing: ReadonlySet<Action> = new Set<Action>(['collection-status', ...removing]);

/** What duplicity would end with after an error. @param action undefined if none was understood */
export function duplicityStatusOf(error: unknown, action: Action | undefined): number {
  if (!(error instanceof BackupError)) return UNFORESEEN;
  if (typeof error.facts.duplicityExit === 'number') return error.facts.duplicityExit; // of selections
  if (error.facts.isAbsent && action && contentWithNothing.has(action)) return exitStatus.done;
  if (error.code === 'source-mismatch' && error.facts.field === 'hostname') return 3;
  return statuses[error.code] ?? UNFORESEEN;
}

/** What duplicity would end with where we end with a status and no error. */
export function asDuplicity(status: number): number {
  switch (status) {
    case exitStatus.partial: // it counts them, and is content
      return 0;
    case exitStatus.different:
      return 1;
    case exitStatus.failed: // something in the archive is damaged or missing
      return 21;
    case 128 + 2: // SIGINT
      return 4;
    default:
      return status;
  }
}
