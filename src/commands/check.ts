/**
 * check: proves an archive as it is at the target, without a local tree. Every manifest is read; volumes and
 * signatures are fetched, hashed, decrypted and taken apart, all of them or a sample of those that were proved longest
 * ago. A chain that is read whole is proved at all its times: each delta must have its base. Of a sample each volume
 * is proved alone, and that deltas have a base is learnt from the signatures; only what a fault of it costs makes us
 * read more. Where the private key is elsewhere, check-sealed.ts proves what it can.
 */

import { comparePaths, displayPath } from '../bytes.ts';
import { checkVersions, type LostVersions } from '../engine/version-check.ts';
import { BackupError, exitStatus } from '../errors.ts';
import { type Collection, whyOrphaned } from '../manifest/chains.ts';
import type { VolumeEntry } from '../manifest/manifest.ts';
import { endOf } from '../manifest/names.ts';
import { describeSet } from '../manifest/sets.ts';
import { formatTime } from '../manifest/time.ts';
import { canThaw } from '../storage/s3-thaw.ts';
import { listAll } from '../storage/storage.ts';
import { type Archive, openArchive } from './archive.ts';
import { chooseSample, openProofs, type Proofs } from './check-proofs.ts';
import { checkItems, formatCheck } from './check-report.ts';
import { isSealed, openSealedSets, proveSealed } from './check-sealed.ts';
import { type CheckedSet, type CheckRun, type CheckUnit, openSets } from './check-sets.ts';
import { proveSignatures, proveVolumes } from './check-volumes.ts';
import type { CommonOptions, Host } from './host.ts';
import { usesPublicKeys } from './key-ring.ts';
import { chunksOf } from './reading-chunks.ts';
import { createReadingProgress } from './reading-progress.ts';
import { noBackup, requireTarget } from './require-target.ts';

export interface CheckRequest extends CommonOptions {
  readonly url: string;
  /** How much of the archive is read, at least; everything if absent. */
  readonly sample?: { readonly percent: number } | { readonly bytes: number } | undefined;
}

/** @returns the exit status: failed if anything is damaged or missing */
export async function check(request: CheckRequest, host: Host): Promise<number> {
  const archive = await openArchive(request.url, request, host);
  try {
    await requireTarget(archive.storage);
    const collection = await archive.readableCollection();
    if (collection.chains.length === 0) throw noBackup(archive.storage, collection);
    const time = Math.floor(host.now());
    const proofs = openProofs(archive, time);
    let faults = 0;
    const run: CheckRun = {
      archive,
      host,
      progress: createReadingProgress(host.reporter),
      fault(code, message, path) {
        faults++;
        host.reporter.report({ level: 'error', code, message, facts: path === undefined ? {} : { path } });
      },
      count: () => void faults++,
      prove: unit => proofs.prove(unit, time),
      disprove: unit => proofs.disprove(unit),
    };
    for (const set of collection.orphaned) {
      const why = whyOrphaned(set, collection);
      run.fault('orphaned', `the ${describeSet(set.id)} can't be restored: ${why}; cleanup removes it`);
    }
    for (const { id } of collection.incomplete) {
      const message = `the ${describeSet(id)} has no manifest: it was not finished (or has lost it), and is not looked at`;
      host.reporter.report({ level: 'warning', code: 'set-unfinished', message });
    }
    const chains: CheckedSet[][] = [];
    const newest = collection.chains.at(-1)!;
    let faultsOfNewest = 0;
    const sealed = usesPublicKeys(request) && (await isSealed(archive, newest.sets.at(-1)!));
    if (sealed) {
      const message =
        'The private key is not on this machine: nothing is opened; volumes are compared with the checksums in the archive cache.';
      host.reporter.report({ level: 'notice', code: 'check-sealed', message });
    }
    for (const chain of collection.chains) {
      const before = faults;
      chains.push(await (sealed ? openSealedSets : openSets)(chain, run));
      if (chain === newest) faultsOfNewest += faults - before;
    }
    const units = chains.flat().flatMap(set => set.units);
    if (sealed && units.length === 0) {
      run.fault(
        'nothing-proved',
        'nothing can be proved here: neither the private key is, nor what the archive cache had',
      );
    }
    const chosen = await choose(units, request.sample, proofs, run);
    const volumes = chains.flat().flatMap(set => set.volumes.flatMap(({ unit }) => unit ?? []));
    run.progress.expect(volumes.filter(unit => chosen.has(unit)).map(({ size }) => size));
    try {
      for (const sets of chains) {
        const before = faults;
        if (sealed) for (const set of sets) await proveSealed(set, chosen, run);
        else await checkChain(sets, chosen, run);
        if (sets === chains.at(-1)) faultsOfNewest += faults - before;
      }
    } finally {
      await saveProofs(proofs, units, host);
    }
    if (faultsOfNewest > 0) {
      const message = `the newest chain, begun by the ${describeSet(newest.sets[0].id)}, is damaged, and what is added to it builds on that; after a new full backup what the source still has is whole again`;
      const facts = { chain: newest.start };
      host.reporter.report({ level: 'warning', code: 'newest-chain-damaged', message, facts });
    }
    // A target that does not answer any more must not hide what the check has found.
    if (faults > 0) await reportRemoved(collection, archive, host).catch(() => {});
    const outcome = { sets: chains.flat(), chosen, faults, sealed, ...proofs };
    await host.print(formatCheck(outcome), () => checkItems(outcome));
    return faults > 0 ? exitStatus.failed : exitStatus.done;
  } finally {
    await archive.close();
  }
}

/** A prune takes no notice of who reads, be it on this machine or on another; what it has removed is no damage. */
async function reportRemoved(
  { chains }: Collection,
  { storage }: Archive,
  { reporter }: Host,
): Promise<void> {
  const there = new Set((await listAll(storage)).map(({ name }) => name));
  const removed = chains
    .flatMap(({ sets }) => sets)
    .filter(({ manifest }) => manifest && !there.has(manifest.name));
  if (removed.length === 0) return;
  const more = removed.length === 1 ? '' : `, and ${removed.length - 1} more,`;
  const message = `The ${describeSet(removed[0]!.id)}${more} was removed while the check ran, as a prune does it: what is told of that is no damage. Check again.`;
  reporter.report({ level: 'warning', code: 'removed-meanwhile', message });
}

/** A disk that is full or read-only must not hide what the check has found. */
async function saveProofs(proofs: Proofs, units: readonly CheckUnit[], { reporter }: Host): Promise<void> {
  try {
    await proofs.save(new Set(units.map(({ name }) => name)));
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'local-io') throw error;
    reporter.report({ level: 'warning', code: 'proofs-unwritten', message: error.message });
  }
}

/** What is read in this run; what lies in cold storage is not. */
async function choose(
  units: readonly CheckUnit[],
  sample: CheckRequest['sample'],
  proofs: Proofs,
  { archive: { storage }, host }: CheckRun,
): Promise<ReadonlySet<CheckUnit>> {
  const cold = new Set<string>();
  if (canThaw(storage)) {
    const names = units.map(({ name }) => name);
    for await (const { name } of storage.coldObjects(names, { signal: host.signal })) cold.add(name);
  }
  if (cold.size > 0) {
    const message = `${cold.size} volumes are in cold storage and can't be read now`;
    host.reporter.report({ level: 'warning', code: 'cold', message });
  }
  const readable = units.filter(({ name }) => !cold.has(name));
  if (sample === undefined) return new Set(readable);
  const total = units.reduce((sum, { size }) => sum + size, 0);
  const budget = 'bytes' in sample ? sample.bytes : (total * sample.percent) / 100;
  return new Set(chooseSample(readable, proofs, budget));
}

async function checkChain(
  sets: readonly CheckedSet[],
  chosen: ReadonlySet<CheckUnit>,
  run: CheckRun,
): Promise<void> {
  for (const set of sets) {
    if (set.signatures && chosen.has(set.signatures)) await proveSignatures(set, set.signatures, run);
  }
  const volumes = sets.flatMap(set => set.volumes);
  if (volumes.every(({ unit }) => unit === undefined || chosen.has(unit))) {
    await checkAllTimes(sets, undefined, run);
    return;
  }
  const faulty: VolumeEntry[] = [];
  for (const [index, set] of sets.entries()) {
    const alone = set.volumes.flatMap(({ unit, entry }) =>
      unit && chosen.has(unit) ? [{ unit, entry }] : [],
    );
    faulty.push(...(await proveVolumes(set, alone, sets.slice(0, index), run)));
    faulty.push(...set.volumes.filter(({ unit }) => unit === undefined).map(({ entry }) => entry));
  }
  if (faulty.length === 0) return;
  try {
    await checkAllTimes(sets, faulty, run);
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'object-cold') throw error;
    run.fault('lost-unnamed', `what else is lost with it can't be told: ${error.message}`);
  }
}

/** Proves all versions of all paths, or of those that lie in the given volumes, and tells which are lost. */
async function checkAllTimes(
  sets: readonly CheckedSet[],
  within: readonly VolumeEntry[] | undefined,
  run: CheckRun,
): Promise<void> {
  const isWanted = (path: string) =>
    within?.some(
      ({ start, end }) => comparePaths(start.path, path) <= 0 && comparePaths(path, end.path) <= 0,
    ) ?? true;
  const chunkFor = chunksOf(sets.map(({ set }) => set));
  await checkVersions({
    sets: sets.map(one => one.read(within, run, chunkFor(one.set))),
    isWanted,
    onLost: lost => tellLost(lost, sets, run),
    signal: run.host.signal,
  });
}

function tellLost(
  { path, from, until, detail }: LostVersions,
  sets: readonly CheckedSet[],
  run: CheckRun,
): void {
  const timeOf = (index: number) => formatTime(endOf(sets[index]!.set.id));
  const when = until === from + 1 ? `as of ${timeOf(from)}` : `from ${timeOf(from)} to ${timeOf(until - 1)}`;
  run.fault('entry-lost', `${displayPath(path)} is lost ${when}: ${detail}`, path);
}
