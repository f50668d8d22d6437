/**
 * What restore and verify share: which sets and volumes a state needs, and their replay into a sink. What can't be
 * given back is named, path by path, and counted.
 */

import { comparePaths, displayPath, isWithin } from '../bytes.ts';
import { createPatchChain } from '../engine/patch-chain.ts';
import { type LostEntry, replay, type TreeSink } from '../engine/replay.ts';
import { readSet, type SetReaderOptions } from '../engine/set-reader.ts';
import { BackupError, clauseOf } from '../errors.ts';
import { type Chain, type Collection, chainFor, setsFor, whyOrphaned } from '../manifest/chains.ts';
import type { Manifest, VolumeEntry } from '../manifest/manifest.ts';
import { endOf } from '../manifest/names.ts';
import { type BackupSet, describeSet } from '../manifest/sets.ts';
import { asctime, isToCome, parseTimeArgument } from '../manifest/time.ts';
import { volumesFor } from '../manifest/volume-choice.ts';
import { mapOrdered } from '../streams.ts';
import { readSigtar } from '../volumes/sigtar.ts';
import type { Archive } from './archive.ts';
import type { Host } from './host.ts';
import { chunksOf } from './reading-chunks.ts';
import { createReadingProgress, type ReadingProgress } from './reading-progress.ts';
import { noBackup } from './require-target.ts';
import { isGuessed, readVolumes } from './set-volumes.ts';

/** What is wanted of an archive. */
export interface Wanted {
  /** In the user's grammar; the newest state if absent. */
  readonly time?: string | undefined;
  /** Bytes as latin1 strings, relative to the backed up folder; everything if empty. */
  readonly paths: readonly string[];
  /** Places below the target that get another name. */
  readonly rename?: readonly (readonly [from: string, to: string])[];
}

/** A set of the wanted state with the volumes to read. */
export interface PlannedSet {
  readonly set: BackupSet;
  readonly manifest: Manifest;
  /** False where something is wrong with the manifest. */
  readonly isSound: boolean;
  /** False where the manifest does not tell all of the set. */
  readonly isWhole: boolean;
  readonly volumes: readonly VolumeEntry[];
}

/** A set of the wanted state. What is to be read of it is looked up when somebody asks, once. */
export interface WantedSet {
  readonly set: BackupSet;
  /** Undefined if it holds nothing of what is wanted. */
  plan(): Promise<PlannedSet | undefined>;
}

export interface ReplayOutcome {
  /** Entries given to the sink. */
  readonly entries: number;
  /** Paths that could not be given back. */
  readonly lost: number;
  /** False if something is wrong with the archive, whether or not anything is lost by it. */
  readonly isSound: boolean;
}

/**
 * The sets that a state may need, oldest first.
 * @throws BackupError `nothing-to-restore` when there is no backup
 */
export function wantedSets(
  archive: Archive,
  collection: Collection,
  wanted: Wanted,
  host: Host,
): WantedSet[] {
  const time =
    wanted.time === undefined ? Number.POSITIVE_INFINITY : parseTimeArgument(wanted.time, host.now());
  const chain = chainFor(collection.chains, time);
  if (!chain) throw noBackup(archive.storage, collection);
  reportTooEarly(chain, time, host);
  reportTooLate(collection, time, host);
  const last = setsFor(chain, time).at(-1)!;
  reportUnfinished(collection, last, time, host);
  const isNewest = !reportOrphaned(collection, last, time, host);
  const paths = wanted.paths.length === 0 ? [''] : wanted.paths;
  return setsFor(chain, time).map(set => {
    let planned: Promise<PlannedSet | undefined> | undefined;
    const plan = () =>
      planSet(archive, set, paths, host).then(
        plan => plan && { ...plan, isSound: plan.isSound && isNewest },
        error => {
          planned = undefined; // what is too cold now may be read later
          throw error;
        },
      );
    return { set, plan: () => (planned ??= plan()) };
  });
}

async function planSet(
  archive: Archive,
  set: BackupSet,
  paths: readonly string[],
  host: Host,
): Promise<PlannedSet | undefined> {
  const { manifest, isSound, isWhole } = await readVolumes(archive, set, host);
  // A set that was resumed may hold deletions that its signatures, made anew, do not name.
  const isResumed = manifest.volumes.some(({ resumed }) => resumed);
  const isPartial = set.id.type === 'inc' && !paths.includes('') && !isResumed;
  const volumes = volumesFor(manifest, paths);
  if (!isPartial) return { set, manifest, isSound, isWhole, volumes };
  const held = await holds(archive, set, paths);
  if (held === 'nothing') return undefined;
  // A manifest and signatures that contradict each other: then what is wanted may be in any volume.
  const isOdd = held === 'something' && volumes.length === 0;
  return { set, manifest, isSound, isWhole, volumes: isOdd ? manifest.volumes : volumes };
}

/** All plans, those of sets that hold nothing left out. */
export async function planAll(sets: readonly WantedSet[]): Promise<PlannedSet[]> {
  const plans: PlannedSet[] = [];
  for await (const plan of mapOrdered(sets, SETS_AT_ONCE, set => set.plan())) if (plan) plans.push(plan);
  return plans;
}

/** Their manifests, and where it matters their signatures, are read side by side. */
const SETS_AT_ONCE = 4;

/**
 * What an incremental set has of the wanted paths, as far as can be told cheaply: its signatures name all that it holds.
 * Where they are not at hand, or damaged, nobody knows.
 */
async function holds(
  archive: Archive,
  set: BackupSet,
  paths: readonly string[],
): Promise<'something' | 'nothing' | 'unknown'> {
  const last = paths.toSorted(comparePaths).at(-1)!;
  try {
    const sigtar = await archive.cachedSigtarOf(set);
    if (!sigtar) return 'unknown';
    for await (const records of readSigtar(sigtar)) {
      if (records.some(({ path }) => paths.some(wanted => isWithin(path, wanted)))) return 'something';
      if (records.some(({ path }) => comparePaths(path, last) > 0)) return 'nothing';
    }
    return 'nothing';
  } catch (error) {
    if (error instanceof BackupError) return 'unknown';
    throw error;
  }
}

/** Of a time before the first backup the first one is taken. */
export function reportTooEarly({ start }: Chain, time: number, { reporter }: Host): void {
  if (start <= time) return;
  const message = `there is no backup from before ${asctime(time)}; the oldest one is taken, of ${asctime(start)}`;
  reporter.report({ level: 'warning', code: 'time-before-first', message });
}

/**
 * Where no time is asked for, the newest set is taken: rightly so if the clock is late, as on a machine without a battery
 * for it, but not if it was years ahead at one backup.
 */
export function reportTooLate({ chains }: Collection, time: number, { reporter, now }: Host): void {
  const newest = chains.at(-1)?.end ?? time;
  if (time !== Number.POSITIVE_INFINITY || !isToCome(newest, now())) return;
  if (chains.every(({ start }) => start > now())) return; // there is no other
  const message = `the newest backup set is of ${asctime(newest)}, but the clock says ${asctime(Math.floor(now()))}; that set is taken all the same, and --time now takes the newest before`;
  reporter.report({ level: 'warning', code: 'set-to-come', message });
}

/** Newer sets without a manifest: their runs broke off, as a rule; but a lost manifest looks the same. */
function reportUnfinished(collection: Collection, last: BackupSet, time: number, { reporter }: Host): void {
  for (const { id } of collection.incomplete) {
    if (endOf(id) <= endOf(last.id) || endOf(id) > time) continue;
    const message = `the ${describeSet(id)} has no manifest: it was not finished (or has lost it), so the state before it is taken`;
    reporter.report({ level: 'warning', code: 'set-unfinished', message });
  }
}

/**
 * Newer sets that are complete but hang in the air, as where a copy of the archive lacks one before them: what they hold is
 * lost, and the state before them must not pass for it.
 * @returns whether there are any
 */
export function reportOrphaned(
  collection: Collection,
  last: BackupSet,
  time: number,
  { reporter }: Host,
): boolean {
  const newer = collection.orphaned.filter(({ id }) => endOf(id) > endOf(last.id) && endOf(id) <= time);
  for (const set of newer) {
    const message = `the ${describeSet(set.id)} can't be restored: ${whyOrphaned(set, collection)}; the state before it is taken`;
    reporter.report({ level: 'error', code: 'orphaned', message });
  }
  return newer.length > 0;
}

/** Replays sets into a sink; names every path that is lost, and of several wanted ones each that is not there. */
export async function replayInto(
  sink: TreeSink,
  sets: readonly WantedSet[],
  archive: Archive,
  wanted: Wanted,
  tempdir: string,
  host: Host,
): Promise<ReplayOutcome> {
  const found = new Set<string>(); // of several wanted paths
  const several = wanted.paths.length > 1;
  const renamed = renaming(path => path, wanted.rename ?? []);
  const places = new Map(wanted.paths.map(path => [path, renamed(path)!]));
  const find = (place: string) => {
    for (const [one, itsPlace] of places) if (isWithin(place, itsPlace)) found.add(one);
  };
  let lost = 0;
  const onLost = ({ path, detail }: LostEntry) => {
    lost++;
    find(renamed(path)!);
    const message = `${displayPath(path)} is lost: ${detail}`;
    host.reporter.report({ level: 'error', code: 'entry-lost', message, facts: { path } });
  };
  const patches = createPatchChain(tempdir);
  const progress = createReadingProgress(host.reporter);
  const notice = (path: string) => {
    progress.reached(path);
    if (several) find(path);
  };
  let isSound = true;
  const chunkFor = chunksOf(sets.map(({ set }) => set));
  async function* piecesOf(wantedSet: WantedSet) {
    const planned = await wantedSet.plan();
    if (!planned) return;
    isSound &&= planned.isSound;
    const reading = volumesOf(planned, archive, host, progress, chunkFor(planned.set));
    yield* readSet({
      ...reading,
      onLost(volume, error) {
        isSound = false; // what it held may be here as it was before, with nobody to name it
        reading.onLost(volume, error);
      },
    });
  }
  try {
    // Of one file only the newest sets may be needed, and the others are not even looked at.
    if (wanted.paths.length !== 1) {
      const planned = await planAll(sets);
      progress.expect(planned.flatMap(sizesOf));
      archive.expectKeys(planned.flatMap(({ set, volumes: [volume] }) => (volume ? { set, volume } : [])));
    }
    const entries = await replay({
      sets: sets.map(piecesOf),
      sink: noticing(sink, notice),
      wanted: wanted.paths,
      locate: renaming(createLocator(wanted.paths), wanted.rename ?? []),
      onLost,
      patches,
      signal: host.signal,
    });
    if (several && entries + lost > 0) {
      for (const path of wanted.paths.filter(one => !found.has(one))) {
        lost++;
        const message = `there is no ${displayPath(path)} in the backup`;
        host.reporter.report({ level: 'error', code: 'path-missing', message, facts: { path } });
      }
    }
    return { entries, lost, isSound: isSound && lost === 0 };
  } finally {
    patches.close();
  }
}

function sizesOf({ set, volumes }: PlannedSet): number[] {
  return volumes.map(({ number }) => set.volumes.get(number)?.size ?? 0);
}

/** How a set's volumes are read; faults are reported. @param chunk bytes that each stage holds */
export function volumesOf(
  { set, manifest, isWhole, volumes }: Omit<PlannedSet, 'isSound'>,
  archive: Archive,
  host: Host,
  progress: ReadingProgress,
  chunk: number | undefined,
): SetReaderOptions {
  return {
    volumes,
    isEndKnown: isWhole,
    incomplete: new Set(manifest.incomplete),
    async open(volume) {
      const opened = await archive.openVolume(set, volume, progress.counted, chunk);
      const next = volumes[volumes.indexOf(volume) + 1];
      if (next) archive.expectVolume(set, next);
      return opened;
    },
    records: () => sigtarRecords(archive, set, host),
    onLost(volume, error) {
      // What the reader of the tar stream finds does not say where.
      const isNamed = error.code !== 'damaged' || error.cause !== undefined;
      const name = `volume ${volume.number} of the ${describeSet(set.id)}`;
      const named = () => new BackupError('damaged', `${name} is damaged: ${clauseOf(error)}`);
      reportLostVolume(volume, isNamed ? error : named(), host);
    },
  };
}

/** A sink that tells which paths come by. */
export function noticing(sink: TreeSink, notice: (path: string) => void): TreeSink {
  return {
    begin(entry) {
      notice(entry.path);
      return sink.begin(entry);
    },
    data: bytes => sink.data(bytes),
    finish: () => sink.finish(),
    abandon: () => sink.abandon(),
  };
}

/** What the sigtar of a set says; nothing if it can't be had, and then the lost paths can't be named. */
async function* sigtarRecords(archive: Archive, set: BackupSet, host: Host) {
  try {
    const copy = set.signatures ? undefined : await archive.openInCache(set, 'signatures');
    yield* readSigtar(copy ?? (await archive.sigtarOf(set)));
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    host.reporter.report({
      level: 'error',
      code: 'lost-unnamed',
      message: `what was in lost volumes of the ${describeSet(set.id)} can't be named, and may be here as it was before that backup: ${error.message}`,
    });
  }
}

/** With what it held, as its manifest tells. */
export function reportLostVolume(volume: VolumeEntry, error: BackupError, { reporter }: Host): void {
  const [from, to] = [displayPath(volume.start.path), displayPath(volume.end.path)];
  const held = isGuessed(volume) ? '' : `; it held ${from === to ? from : `what lies from ${from} to ${to}`}`;
  const message = `${error.message}${held}`;
  reporter.report({ level: 'error', code: error.code, message, facts: { volume: volume.number } });
}

/** The longest leading path that has another name decides. */
function renaming(
  locate: (path: string) => string | undefined,
  renamed: NonNullable<Wanted['rename']>,
): (path: string) => string | undefined {
  if (renamed.length === 0) return locate;
  const longestFirst = renamed.toSorted(([a], [b]) => b.length - a.length);
  return path => {
    const place = locate(path);
    const match = longestFirst.find(([from]) => place !== undefined && isWithin(place, from));
    return match ? `${match[1]}${place!.slice(match[0].length)}` : place;
  };
}

/** Where a path of the archive goes below the target: one wanted path becomes the target itself. */
export function createLocator(paths: readonly string[]): (path: string) => string | undefined {
  const [only, ...others] = paths;
  if (only === undefined) return path => path;
  if (others.length === 0) {
    return path => (isWithin(path, only) ? path.slice(only === '' ? 0 : only.length + 1) : undefined);
  }
  return path => (paths.some(wanted => isWithin(path, wanted)) ? path : undefined);
}
