/**
 * What cron calls: a profile's whole job. Back up (continuing what was interrupted), prove a sample, prune, and tell
 * how it went. Sets are only pruned when the check found nothing wrong: what looks old may be the last good copy.
 */

import { constants } from 'node:os';
import { pathFromText } from '../bytes.ts';
import { acquireRunLock, type RunLock } from '../cache/lock.ts';
import { BackupError, describeFailure, exitStatus, messageOf, statusOf } from '../errors.ts';
import { asctime } from '../manifest/time.ts';
import type { RunOutcome } from '../notices/run-outcome.ts';
import { formatMetrics, writeMetrics } from '../profiles/metrics.ts';
import {
  type ArchiveFacts,
  isFullDue,
  makeStateFolder,
  type ProfileState,
  type RunRecord,
  readState,
  unendedIn,
  withRun,
  withStart,
  writeState,
} from '../profiles/state.ts';
import type { Report, Reporter } from '../report.ts';
import { formatSize } from '../text.ts';
import type { Host } from './host.ts';
import { lowerPriority } from './low-priority.ts';
import {
  neverEnded,
  type ToldRun,
  tellBeginning,
  tellEnd,
  tellingIfLong,
  tellUnended,
} from './run-telling.ts';

/** A part of the run; gives its exit status, or throws as any command does. */
export type Step = (host: Host) => Promise<number>;

export interface RunRequest extends ToldRun {
  /** See profiles/places.ts. */
  readonly stateFolder: string;
  readonly backup: Step;
  /** What is left to store after one that went on with an interrupted set, if anything is. */
  readonly rest: Step;
  /** The same, but a full one in any case. */
  readonly full: Step;
  readonly check?: Step | undefined;
  readonly prune?: Step | undefined;
  readonly facts: (host: Host) => Promise<ArchiveFacts>;
  /** 0: as it is; at most 19. */
  readonly nice: number;
  readonly metricsFile?: string | undefined;
}

/** @returns the exit status: of the first step that failed, else `partial`, else 0 */
export async function runProfile(request: RunRequest, host: Host): Promise<number> {
  const { profile, stateFolder } = request;
  const lock = await lockRun(request, host);
  try {
    if (request.nice > 0) lowerPriority(request.nice);
    const before = readState(stateFolder);
    const started = host.now();
    const unkept = keep(host, () => writeState(stateFolder, withStart(before, started)));
    await tellBeginning(request, host, before.runs.at(-1)?.status);
    await tellUnended(request, host, started, unendedIn(before));

    const result = await tellingIfLong(request, host, started, () => perform(request, host, before, unkept));
    const record: RunRecord = {
      ...{ started, ended: host.now(), status: result.status, verdict: result.verdict },
      summary: result.summary[0]!,
    };
    const { complete, archive, check } = result;
    const after = withRun(before, record, { complete, archive, check });
    remember(request, after, host);
    const outcome: RunOutcome = {
      ...{ profile, hostname: host.hostname(), started, ended: record.ended },
      ...{ verdict: record.verdict, status: record.status },
      isNews: before.runs.at(-1)?.verdict !== record.verdict,
      ...{ summary: result.summary, statistics: result.statistics, log: request.logLines() },
    };
    await tellEnd(outcome, request, host);
    if (host.signal.aborted && result.error !== undefined) throw result.error;
    return result.status;
  } finally {
    lock?.release();
  }
}

/**
 * @returns undefined where none can be had: the archive cache has a lock of its own, and whatever is wrong here (a disk
 * that is full, a module that this Node.js can't load) is to be told by mail, not to end a run that could tell it.
 */
async function lockRun({ profile, stateFolder }: RunRequest, host: Host): Promise<RunLock | undefined> {
  try {
    makeStateFolder(stateFolder);
    return await acquireRunLock(pathFromText(stateFolder));
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'locked') {
      warn(host, 'state-unlocked', messageOf(error));
      return undefined;
    }
    const { pid, since } = error.facts;
    const who = pid === undefined ? '' : ` (process ${pid}, since ${since})`;
    throw new BackupError(
      'locked',
      `${profile} is being run already${who}; this run is skipped`,
      error.facts,
      { cause: error },
    );
  }
}

/** @returns why it can't be kept, for the backup and its result count more than what is written about them */
function keep(host: Host, write: () => void): string | undefined {
  try {
    write();
    return undefined;
  } catch (error) {
    warn(host, 'state-unwritten', messageOf(error));
    return messageOf(error);
  }
}

function remember({ stateFolder, metricsFile, profile }: RunRequest, state: ProfileState, host: Host): void {
  keep(host, () => writeState(stateFolder, state));
  keep(host, () => {
    if (metricsFile !== undefined) writeMetrics(metricsFile, formatMetrics([[profile, state]]));
  });
}

function warn(host: Host, code: string, message: string): void {
  host.reporter.report({ level: 'warning', code, message });
}

interface Result {
  readonly verdict: RunOutcome['verdict'];
  readonly status: number;
  readonly complete: boolean;
  /** At least one sentence. */
  readonly summary: readonly string[];
  readonly statistics: string;
  readonly archive: ArchiveFacts | undefined;
  readonly check: ProfileState['lastCheck'];
  /** What ended the backup. */
  readonly error: unknown;
}

interface StepResult {
  readonly status: number;
  readonly error?: unknown;
  /** What it printed. */
  readonly text: string;
  /** What it reported as wrong. */
  readonly errors: readonly string[];
  /** Sentences that belong into a summary. */
  readonly notes: readonly string[];
  /** It went on with an interrupted set. */
  readonly isContinued: boolean;
  /** Why the command after it failed, and the status that this made of that of the step. */
  readonly after?: { readonly message: string; readonly status: number } | undefined;
  /** Of the newest chain, if a check has found it damaged; see state.ts. */
  readonly damagedChain?: number | undefined;
}

/** @param unkept why the state can't be kept, if so */
async function perform(
  request: RunRequest,
  host: Host,
  before: ProfileState,
  unkept: string | undefined,
): Promise<Result> {
  const isFull = await isFullWanted(request, before, host);
  const backup = await perform1(isFull ? request.full : request.backup, host);
  const rest = await performRest(backup, request, before, host);
  const last = rest ?? backup;
  const isStored = isBackup(last);
  const check = isStored && request.check ? await perform1(request.check, host) : undefined;
  const isSound = check === undefined || check.status === exitStatus.done;
  const prune = isStored && isSound && request.prune ? await perform1(request.prune, host) : undefined;
  const archive = isStored ? await request.facts(host).catch(() => undefined) : undefined;

  const steps = [backup, rest, check, prune].filter(step => step !== undefined);
  const failed = steps.find(({ status }) => status !== exitStatus.done && status !== exitStatus.partial);
  const status = failed?.status ?? backup.after?.status ?? rest?.after?.status ?? last.status;
  const unended = unendedIn(before);
  const summary = [
    headline(backup),
    ...backup.notes,
    ...(rest ? [restSentence(rest)] : []),
    ...(unkept === undefined
      ? []
      : [`Neither "tsbackup status" nor the next run will know of this one: ${unkept}`]),
    ...(unended.length === 0 ? [] : [neverEnded(unended)]),
    ...(isFull ? [`It ${isStored ? 'is' : 'was to be'} a full backup: ${foundDamaged(before)}`] : []),
    ...(check ? checkSentences(check, request.profile) : []),
    ...(isStored && request.prune && !isSound ? ['Nothing was pruned, because the check failed.'] : []),
    ...(prune ? pruneSentences(prune) : []),
    ...(archive ? [archiveSentence(archive)] : []),
  ];
  return {
    verdict: failed ? 'error' : status !== exitStatus.done || unkept !== undefined ? 'warn' : 'ok',
    status,
    complete: last.status === exitStatus.done,
    summary,
    statistics: `${backup.text}${rest && !isUnchanged(rest) ? rest.text : ''}`,
    archive,
    check: check && {
      ...{ time: host.now(), faults: check.status !== exitStatus.done },
      damagedChain: check.damagedChain,
    },
    error: last.error,
  };
}

/** An interrupted set has what lies before the place where it was continued as that was then, and not what came since. */
async function performRest(
  backup: StepResult,
  request: RunRequest,
  before: ProfileState,
  host: Host,
): Promise<StepResult | undefined> {
  if (!backup.isContinued || !isBackup(backup)) return undefined;
  return perform1((await isFullWanted(request, before, host)) ? request.full : request.rest, host);
}

function isBackup({ status }: StepResult): boolean {
  return status === exitStatus.done || status === exitStatus.partial;
}

/** Only then is the target looked at for it. */
async function isFullWanted(request: RunRequest, before: ProfileState, host: Host): Promise<boolean> {
  if (!isFullDue(before, before.archive?.lastFull)) return false;
  const archive = await request.facts(host).catch(() => undefined); // the backup itself will tell why
  return isFullDue(before, archive?.lastFull);
}

function foundDamaged({ lastCheck }: ProfileState): string {
  return `the check of ${asctime(Math.floor(lastCheck!.time))} found the newest chain damaged.`;
}

const ERRORS_KEPT = 20;
/** Events that a summary tells. */
const noted = [
  'continuing',
  'interrupted-set-removed',
  'no-change',
  'other-secret',
  'removed-meanwhile',
  'resumed-by-duplicity',
];

async function perform1(step: Step, host: Host): Promise<StepResult> {
  let text = '';
  const errors: string[] = [];
  const notes: string[] = [];
  let failedAfter: StepResult['after'];
  let damagedChain: number | undefined;
  let isContinued = false;
  const listen = ({ level, code, message, facts }: Report) => {
    if (code === 'continuing') isContinued = true;
    if (code === 'newest-chain-damaged') damagedChain = Number(facts?.chain);
    if (code === 'hook-failed') failedAfter = { message, status: Number(facts?.status) };
    if (level === 'error' && errors.length < ERRORS_KEPT) errors.push(message);
    if (noted.includes(code)) notes.push(message);
  };
  const reporter: Reporter = {
    report(event) {
      listen(event);
      host.reporter.report(event);
    },
    progress: progress => host.reporter.progress(progress),
  };
  const print: Host['print'] = (part, items) => {
    if (typeof part === 'string' && text.length < MAX_TEXT) text += part;
    return host.print(part, items);
  };
  try {
    const status = await step({ ...host, reporter, print });
    // Whatever the command after it did: what is stored is to be proved and pruned.
    const own = failedAfter ? failedAfter.status : status;
    const after = failedAfter && { message: failedAfter.message, status };
    return { status: own, text, errors, notes, isContinued, after, damagedChain };
  } catch (error) {
    const message = describeFailure(error);
    host.reporter.report({
      level: 'error',
      code: error instanceof BackupError ? error.code : 'unexpected',
      message,
    });
    const status = interruptedStatus(error) ?? statusOf(error);
    return { status, error, text: '', errors: [message], notes, isContinued };
  }
}

const MAX_TEXT = 100_000;

/** 128+n; the signal is told in the message. */
function interruptedStatus(error: unknown): number | undefined {
  if (!(error instanceof BackupError) || error.code !== 'interrupted') return undefined;
  const name = /SIG[A-Z]+/.exec(error.message)?.[0] as keyof typeof constants.signals | undefined;
  return name && 128 + constants.signals[name];
}

function restSentence(rest: StepResult): string {
  if (!isBackup(rest)) return `What has changed since is not stored: ${rest.errors.at(-1) ?? rest.status}`;
  return isUnchanged(rest) ? 'Nothing has changed since.' : `What has changed since: ${storedText(rest)}`;
}

const isUnchanged = (step: StepResult) => numberIn(step, 'DeltaEntries') === 0;

/** Of the statistics that it printed. */
function numberIn({ text }: StepResult, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

function storedText(step: StepResult): string {
  const value = (name: string) => numberIn(step, name);
  return (
    `${counted(value('NewFiles'), 'new')}, ${counted(value('ChangedFiles'), 'changed')} and ` +
    `${counted(value('DeletedFiles'), 'deleted')} of ${value('SourceFiles')} files and folders; ` +
    `${formatSize(value('TotalDestinationSizeChange'))} stored.`
  );
}

function headline(step: StepResult): string {
  const { status, text, errors, after } = step;
  const but = after === undefined ? '' : `, but ${after.message}`;
  if (status === exitStatus.done)
    return text === '' ? `Backed up${but}.` : `Backed up${but}: ${storedText(step)}`;
  if (status === exitStatus.partial) {
    const unread = numberIn(step, 'Errors');
    const what = unread === 1 ? '1 file or folder' : `${unread} files and folders`;
    return `Backed up, but for ${what} that could not be read (earlier versions of it stay)${but}: ${storedText(step)}`;
  }
  return `No backup was made: ${errors.at(-1) ?? `it ended with status ${status}`}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}`;
}

function checkSentences(
  { status, text, errors, notes, damagedChain }: StepResult,
  profile: string,
): string[] {
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  if (status === exitStatus.done) return [last];
  return [
    'The check of the archive found something wrong:',
    ...errors.map(error => `- ${error}`),
    ...notes,
    ...(last === '' ? [] : [last]),
    ...(damagedChain === undefined
      ? []
      : [
          'The newest chain is damaged, so the next run makes a full backup, after which what the source still has is whole again.',
          `To have it at once: tsbackup full --profile ${profile}`,
        ]),
    ...(damagedChain === undefined && status === exitStatus.failed
      ? ['No fault was found in the newest chain, which backups go on with.']
      : []),
  ];
}

function pruneSentences({ status, text, errors }: StepResult): string[] {
  if (status !== exitStatus.done) return [`Pruning failed: ${errors.at(-1) ?? `status ${status}`}`];
  const removed = text.split('\n').filter(line => line.startsWith('Removing '));
  return removed.length === 0 ? [] : removed;
}

function archiveSentence({ chains, sets, chainLength, bytes }: ArchiveFacts): string {
  const of = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
  return `The archive has ${of(sets, 'set')} in ${of(chains, 'chain')} (${formatSize(bytes)}), the newest chain ${of(chainLength, 'set')}.`;
}
