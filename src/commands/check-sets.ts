/** The sets of a chain as a check sees them: what is at the target, what should be, and how it is read. */

import { createHash } from 'node:crypto';
import { comparePaths, displayPath } from '../bytes.ts';
import { type Piece, readSet } from '../engine/set-reader.ts';
import { BackupError, messageOf } from '../errors.ts';
import type { Chain } from '../manifest/chains.ts';
import type { Manifest, VolumeEntry } from '../manifest/manifest.ts';
import { createManifestReader } from '../manifest/manifest-reader.ts';
import { cacheName } from '../manifest/names.ts';
import { type BackupSet, describeSet, type StoredObject } from '../manifest/sets.ts';
import type { Chunks } from '../streams.ts';
import type { Archive } from './archive.ts';
import type { Provable } from './check-proofs.ts';
import type { Host } from './host.ts';
import type { ReadingProgress } from './reading-progress.ts';
import { volumesOf } from './replaying.ts';
import { isGuessed, readVolumes } from './set-volumes.ts';

/** What one run of the check has at hand. */
export interface CheckRun {
  readonly archive: Archive;
  readonly host: Host;
  readonly progress: ReadingProgress;
  /** Tells of a fault of the archive. */
  fault(code: string, message: string, path?: string): void;
  /** One that somebody else tells of. */
  count(): void;
  prove(unit: CheckUnit): void;
  disprove(unit: CheckUnit): void;
}

/** An object that is proved as a whole. */
export interface CheckUnit extends Provable {
  readonly object: StoredObject;
}

export interface CheckedVolume {
  readonly entry: VolumeEntry;
  /** Absent where it is not at the target. */
  readonly unit: CheckUnit | undefined;
}

export interface CheckedSet {
  readonly set: BackupSet;
  readonly manifest: Manifest;
  readonly volumes: readonly CheckedVolume[];
  readonly signatures: CheckUnit | undefined;
  readonly units: readonly CheckUnit[];
  /** The set's pieces; of the volumes that overlap with the given ones, if any are given; `chunk` bytes are held by each stage. */
  read(
    within: readonly VolumeEntry[] | undefined,
    run: CheckRun,
    chunk: number | undefined,
  ): AsyncIterable<readonly Piece[]>;
}

/** Reads the manifests of a chain, at the target even where the cache has them. */
export async function openSets(chain: Chain, run: CheckRun): Promise<CheckedSet[]> {
  const sets: CheckedSet[] = [];
  for (const set of chain.sets) {
    await proveManifest(set, run);
    const { manifest, isWhole } = await readVolumes(run.archive, set, run.host);
    if (!isWhole)
      run.fault('set-unknown', `nobody knows whether all volumes of the ${describeSet(set.id)} are there`);
    if (!set.signatures) {
      run.fault(
        'signatures-missing',
        `the signatures of the ${describeSet(set.id)} are not at the target; nothing is lost, but the chain can't be continued`,
      );
    }
    sets.push(checkedSet(set, manifest, isWhole));
  }
  return sets;
}

export function checkedSet(set: BackupSet, manifest: Manifest, isWhole: boolean): CheckedSet {
  const volumes = manifest.volumes.map(entry => {
    const object = set.volumes.get(entry.number);
    return { entry, unit: object && { ...unitOf(object), sum: entry.sha1 ?? entry.md5 } };
  });
  const signatures = set.signatures && unitOf(set.signatures);
  const unitsOf = volumes.flatMap(({ unit }) => unit ?? []);
  return {
    set,
    manifest,
    volumes,
    signatures,
    units: signatures ? [...unitsOf, signatures] : unitsOf,
    read(within, run, chunk) {
      const entries = manifest.volumes.filter(
        (_, index) => !within || isNear(manifest.volumes, index, within),
      );
      const reading = volumesOf(
        { set, manifest, isWhole, volumes: entries },
        run.archive,
        run.host,
        run.progress,
        chunk,
      );
      const unitFor = (entry: VolumeEntry) => volumes.find(volume => volume.entry === entry)?.unit;
      return readSet({
        ...reading,
        onRead(entry, held) {
          const unit = unitFor(entry);
          if (!unit) return;
          if (holdsWhatItShould(set, entry, held, run)) run.prove(unit);
          else run.disprove(unit);
        },
        onLost(entry, error) {
          const unit = unitFor(entry);
          if (unit) run.disprove(unit);
          run.count();
          reading.onLost(entry, error);
        },
      });
    },
  };
}

function unitOf(object: StoredObject): CheckUnit {
  return { object, name: object.name, size: object.size };
}

/** Whether a volume may hold paths of some others. */
function isNear(volumes: readonly VolumeEntry[], index: number, others: readonly VolumeEntry[]): boolean {
  const { start, end, resumed } = volumes[index]!;
  const first = resumed ? (volumes[index - 1]?.end.path ?? '') : start.path;
  return others.some(
    other => comparePaths(first, other.end.path) <= 0 && comparePaths(other.start.path, end.path) <= 0,
  );
}

/** What a manifest says of a volume's content is how a restore finds it there. */
export function holdsWhatItShould(
  set: BackupSet,
  entry: VolumeEntry,
  held: { readonly first: string; readonly last: string } | undefined,
  run: CheckRun,
): boolean {
  if (!held || isGuessed(entry)) return true;
  const isEarly = !entry.resumed && comparePaths(held.first, entry.start.path) < 0;
  if (!isEarly && comparePaths(held.last, entry.end.path) <= 0) return true;
  const path = displayPath(isEarly ? held.first : held.last);
  run.fault(
    'misplaced',
    `volume ${entry.number} of the ${describeSet(set.id)} holds ${path}, which its manifest does not know there`,
  );
  return false;
}

async function proveManifest(set: BackupSet, run: CheckRun): Promise<void> {
  const { archive, fault } = run;
  const name = `the manifest of the ${describeSet(set.id)}`;
  if (!set.manifest) return fault('manifest-lost', `${name} is not at the target`);
  try {
    const { sum, manifest } = await readText(archive.openAtTarget(set.manifest, 'manifest'));
    const cached = await archive.openInCache(set, 'manifest');
    const copy = cached && (await readText(cached).catch(unlessDamaged));
    if (!cached || copy?.sum === sum) return;
    if (!copy || (manifest.isProved && !copy.manifest.isProved)) return forgetCopy(set, 'manifest', run);
    const which = copy.manifest.isProved && !manifest.isProved ? ', which has its right checksum' : '';
    fault('manifest-differs', `${name} at the target is not the one in the archive cache${which}`);
  } catch (error) {
    if (!isFault(error)) throw error;
    fault('manifest-damaged', `${name}: ${messageOf(error)}`);
  }
}

async function readText(chunks: Chunks): Promise<{ readonly sum: string; readonly manifest: Manifest }> {
  const reader = createManifestReader();
  const sum = await digest(chunks, chunk => reader.push(chunk));
  return { sum, manifest: reader.end() };
}

/** What is wrong in the archive cache alone is no fault of the archive: it is copied from the target again. */
export async function forgetCopy(
  { id }: BackupSet,
  kind: 'manifest' | 'signatures',
  { archive: { cache, prefixes }, host }: CheckRun,
): Promise<void> {
  await cache.remove(cacheName(kind, id, 'final', prefixes));
  const message = `the copy of the ${kind} of the ${describeSet(id)} in the archive cache is damaged, and removed: the one at the target counts`;
  host.reporter.report({ level: 'warning', code: 'copy-damaged', message });
}

/** @returns undefined for what is damaged */
export function unlessDamaged(error: unknown): undefined {
  if (!isFault(error)) throw error;
}

export async function digest(chunks: Chunks, take: (chunk: Uint8Array) => void = () => {}): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    hash.update(chunk);
    take(chunk);
  }
  return hash.digest('hex');
}

/** Faults of one object, as against those of the target as a whole. */
export function isFault(error: unknown): error is BackupError {
  const faults = ['damaged', 'unsupported', 'volume-damaged', 'volume-missing', 'object-missing'];
  return error instanceof BackupError && faults.includes(error.code);
}
