/** What the exit statuses mean, in words, for the help and the manual; the numbers are those of errors.ts. */

import { exitStatus } from '../errors.ts';

export const exitStatuses: readonly (readonly [status: string, meaning: string])[] = [
  [String(exitStatus.done), 'done'],
  [String(exitStatus.failed), 'failed'],
  [String(exitStatus.usage), 'wrong usage'],
  [String(exitStatus.partial), 'done but some sources could not be read'],
  [String(exitStatus.different), 'differences found'],
  [String(exitStatus.guarded), 'stopped by a guard (source, target or clock are not what they were)'],
  [String(exitStatus.nothingToRestore), 'nothing to restore'],
  [String(exitStatus.locked), 'another run holds the lock'],
  [String(exitStatus.wrongPassphrase), 'wrong passphrase'],
  [String(exitStatus.targetUnreachable), 'target unreachable'],
  [String(exitStatus.waitingForThaw), 'waiting for a thaw'],
  [String(exitStatus.sourceUnavailable), 'source unavailable for now'],
  ['128+n', 'ended by signal n'],
];
