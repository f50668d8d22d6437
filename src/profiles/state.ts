/**
 * What a profile's runs left of themselves: how the last ones ended, and when one succeeded. It is a record for
 * `status` and for the next run's mail; a run works without it, and a file that can't be read is begun anew.
 */

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupError, messageOf } from '../errors.ts';
import { replaceFile } from '../files/whole-file.ts';

export type Verdict = 'ok' | 'warn' | 'error';

export interface RunRecord {
  /** Seconds since 1970. */
  readonly started: number;
  readonly ended: number;
  readonly verdict: Verdict;
  /** Exit status. */
  readonly status: number;
  /** The first sentence of its report. */
  readonly summary: string;
}

/** What was at the target after the last run that could look. */
export interface ArchiveFacts {
  readonly chains: number;
  readonly sets: number;
  /** Of the newest chain. */
  readonly chainLength: number;
  /** All objects; bytes. */
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly lastFull: number | undefined;
  readonly lastSet: number | undefined;
}

export interface CheckRecord {
  /** Seconds since 1970. */
  readonly time: number;
  readonly faults: boolean;
  /** Where a fault was in the newest chain: when its full backup was made, in seconds since 1970. */
  readonly damagedChain?: number | undefined;
}

export interface ProfileState {
  /** Newest last; a bounded number. */
  readonly runs: readonly RunRecord[];
  /** End of the last run that backed up all of its source. */
  readonly lastSuccess: number | undefined;
  /** Start of a run that has not ended, or that ended without a word. */
  readonly running: number | undefined;
  /** Starts of those that ended without a word before it, since one ended with one; a bounded number. */
  readonly unended?: readonly number[] | undefined;
  readonly archive: ArchiveFacts | undefined;
  readonly lastCheck: CheckRecord | undefined;
  /** When runs are due, if the schedule that is installed is another than the profile's. */
  readonly every?: string | undefined;
}

const FILE = 'state.json';
const RUNS_KEPT = 60;

const nothing: ProfileState = {
  ...{ runs: [], lastSuccess: undefined, running: undefined },
  ...{ archive: undefined, lastCheck: undefined },
};

/** @param folder see places.ts; it need not exist */
export function readState(folder: string): ProfileState {
  try {
    return stateIn(JSON.parse(readFileSync(join(folder, FILE), 'utf8')));
  } catch {
    return nothing;
  }
}

/** What of a record is as we write it; a damaged disk, or a hand, may have left anything. */
function stateIn(record: unknown): ProfileState {
  const state = fieldsOf(record);
  const { runs, unended, archive, lastCheck, every } = state;
  const isRun = (run: unknown) =>
    hasNumbers(run, ['started', 'ended', 'status']) &&
    ['ok', 'warn', 'error'].includes(String(fieldsOf(run).verdict)) &&
    typeof fieldsOf(run).summary === 'string';
  return {
    runs: Array.isArray(runs) ? (runs.filter(isRun) as RunRecord[]) : [],
    lastSuccess: numberIn(state.lastSuccess),
    running: numberIn(state.running),
    ...(Array.isArray(unended) && { unended: unended.filter(start => numberIn(start) !== undefined) }),
    archive: hasNumbers(archive, ['chains', 'sets', 'chainLength', 'bytes'])
      ? {
          ...(archive as ArchiveFacts),
          lastFull: numberIn(fieldsOf(archive).lastFull),
          lastSet: numberIn(fieldsOf(archive).lastSet),
        }
      : undefined,
    lastCheck: hasNumbers(lastCheck, ['time'])
      ? { ...(lastCheck as CheckRecord), damagedChain: numberIn(fieldsOf(lastCheck).damagedChain) }
      : undefined,
    ...(typeof every === 'string' && { every }),
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function numberIn(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function hasNumbers(value: unknown, names: readonly string[]): boolean {
  return names.every(name => numberIn(fieldsOf(value)[name]) !== undefined);
}

/** @throws BackupError `local-io` */
export function writeState(folder: string, state: ProfileState): void {
  const path = join(folder, FILE);
  const kept = { ...state, runs: state.runs.slice(-RUNS_KEPT) };
  try {
    makeStateFolder(folder);
    replaceFile(path, `${JSON.stringify(kept, undefined, 1)}\n`, 0o600);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw new BackupError('local-io', `can't write ${path}: ${messageOf(error)}`, {}, { cause: error });
  }
}

/** @throws BackupError `local-io` */
export function makeStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new BackupError('local-io', `can't make ${folder}: ${messageOf(error)}`, {}, { cause: error });
  }
}

/**
 * Whether the next backup should be a full one, for what is added to a damaged chain builds on damage.
 * @param lastFull time of the newest full set at the target, if known
 */
export function isFullDue(
  { lastCheck }: Pick<ProfileState, 'lastCheck'>,
  lastFull: number | undefined,
): boolean {
  const damaged = lastCheck?.damagedChain;
  return damaged !== undefined && (lastFull === undefined || lastFull <= damaged);
}

/** Starts of runs that ended without a word, oldest first. */
export function unendedIn({ running, unended = [] }: ProfileState): readonly number[] {
  return running === undefined ? unended : [...unended, running];
}

/** While a run is at work. */
export function withStart(state: ProfileState, started: number): ProfileState {
  return { ...state, running: started, unended: unendedIn(state).slice(-RUNS_KEPT) };
}

/** After a run. `complete`: all of the source was read and stored. */
export function withRun(
  state: ProfileState,
  run: RunRecord,
  more: {
    readonly complete: boolean;
    readonly archive: ArchiveFacts | undefined;
    readonly check: CheckRecord | undefined;
  },
): ProfileState {
  return {
    ...state,
    runs: [...state.runs, run],
    lastSuccess: more.complete ? run.ended : state.lastSuccess,
    ...{ running: undefined, unended: undefined },
    archive: more.archive ?? state.archive,
    lastCheck: more.check ?? state.lastCheck,
  };
}
