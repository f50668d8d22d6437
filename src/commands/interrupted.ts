/**
 * A set that an earlier run left unfinished: whether this run can continue it, and from where. What can't be continued
 * is removed, in words. Whoever calls holds the run lock, so nobody is at work on what is found here.
 */

import { hostname } from 'node:os';
import { displayPath } from '../bytes.ts';
import {
  countTrue,
  isJournalName,
  type Journal,
  type KeysOfSet,
  parseJournal,
  partialNames,
} from '../engine/journal.ts';
import { BackupError } from '../errors.ts';
import { type Collection, continuable, isBuiltUpon } from '../manifest/chains.ts';
import { cacheName, endOf, parseName, type SetId, setKey, volumeName } from '../manifest/names.ts';
import { type BackupSet, describeSet, namesOf } from '../manifest/sets.ts';
import { sourceMismatch } from '../manifest/source.ts';
import { asctime } from '../manifest/time.ts';
import { formatSize } from '../text.ts';
import { type EnvelopeForm, openEnvelope } from '../volumes/envelope.ts';
import type { Archive } from './archive.ts';
import type { BackupMode } from './backup-plan.ts';
import { keepWhatIsComplete } from './behind-commit.ts';
import type { Host } from './host.ts';
import { ownPartials } from './own-files.ts';
import { setsBeingRemoved } from './removal-note.ts';

export interface ContinueRequest {
  readonly mode: BackupMode;
  /** As the user gave it. */
  readonly source: string;
  readonly allowSourceMismatch: boolean;
  /** Whom objects are sealed for; if for public keys, there is no passphrase to check. */
  readonly keys: KeysOfSet;
}

/**
 * The journal of the set to continue, cut to what is at the target; undefined if there is none.
 * @throws BackupError `guard-stopped`, `source-mismatch`, `usage` or `wrong-passphrase` where a person must decide
 */
export async function findInterrupted(
  archive: Archive,
  collection: Collection,
  request: ContinueRequest,
  form: EnvelopeForm,
  host: Host,
): Promise<Journal | undefined> {
  const dealtWith = await removeForeignParts(archive, collection, host);
  await keepWhatIsComplete(archive, collection);
  const journal = await readJournal(archive);
  if (journal) dealtWith.push(journal.header.set);
  else dealtWith.push(...(await giveUpUnknown(archive, collection, host)));
  const removed = setsBeingRemoved(archive);
  const begun = collection.incomplete.map(({ id }) => id).filter(id => removed.has(setKey(id)));
  reportUnknown(collection, [...dealtWith, ...begun, ...(await setsOfCache(archive, collection))], host);
  if (!journal) return undefined;
  const { set } = journal.header;
  const isComplete = collection.chains.some(({ sets }) => sets.some(({ id }) => setKey(id) === setKey(set)));
  if (isComplete) return undefined; // it broke off after the manifest was at the target: the catalog needs what it left
  const count = await countTrue(journal, archive.cache);
  const known = { ...journal, checkpoints: journal.checkpoints.slice(0, count) };
  const reason =
    reasonAgainst(journal, collection) ??
    mismatchOf(journal, request, form, host) ??
    (count === 0 ? 'what it left in the archive cache is damaged' : undefined);
  if (reason !== undefined) {
    await giveUp(set, reason, archive, collection, host);
    return undefined;
  }
  checkBegin(set, host);
  if (count < journal.checkpoints.length) reportDamage(known, host);
  const whole = await whatIsThere(known, archive, collection, request, host);
  if (whole && request.keys.recipients.length === 0) await checkPassphrase(whole, archive);
  return whole;
}

/** Whether `findInterrupted` has anything to look at. */
export async function isAnythingLeft(archive: Archive): Promise<boolean> {
  const { cache, prefixes } = archive;
  if ((await ownPartials(archive)).length > 0) return true;
  return (await cache.list()).some(name => parseName(name, prefixes)?.partial);
}

/** The same set from before the file in the middle of which it ends; undefined if it begins with that file. */
export function cutBack(journal: Journal): Journal | undefined {
  const { checkpoints } = journal;
  const { path } = checkpoints.at(-1)!.mark.end;
  const count = checkpoints.findLastIndex(({ mark }) => !(mark.open && mark.end.path === path)) + 1;
  return count === 0 ? undefined : { ...journal, checkpoints: checkpoints.slice(0, count) };
}

/** Removes an interrupted set from the target and from the archive cache, and says why. */
export async function giveUp(
  set: SetId,
  reason: string,
  archive: Archive,
  collection: Collection,
  host: Host,
): Promise<void> {
  const message = `The ${describeSet(set)} was interrupted and can't be continued: ${reason}. What there is of it is removed.`;
  host.reporter.report({ level: 'notice', code: 'interrupted-set-removed', message });
  await removeSet(incompleteSet(collection, setKey(set)), archive);
  await removePartial(archive);
}

/** What the target has of a set without manifest. */
export function incompleteSet({ incomplete }: Collection, key: string): BackupSet | undefined {
  return incomplete.find(({ id }) => setKey(id) === key);
}

/** Removes what runs that broke off left in the archive cache. @param except a set whose files stay */
export async function removePartial(archive: Archive, except?: SetId): Promise<void> {
  const { cache, prefixes } = archive;
  const kept = except ? Object.values(partialNames(except, prefixes)) : [];
  const names = (await ownPartials(archive)).filter(name => !kept.includes(name));
  // The journal goes first: without it nothing else counts.
  for (const name of names.filter(isJournalName)) await cache.removePartial(name);
  for (const name of names) await cache.removePartial(name);
}

async function removeSet(set: BackupSet | undefined, { storage }: Archive): Promise<void> {
  for (const name of set ? namesOf(set) : []) await storage.delete(name);
}

/** A clock that is set from what was saved last may be hours late after a power cut. */
const LATE_SECONDS = 86_400;

/**
 * A set that was begun with a clock that was ahead would keep every later run from its work.
 * @throws BackupError `guard-stopped`
 */
function checkBegin(set: SetId, { now }: Host): void {
  if (endOf(set) <= now() + LATE_SECONDS) return;
  throw new BackupError(
    'guard-stopped',
    `the clock says ${asctime(Math.floor(now()))}, and the ${describeSet(set)} that was interrupted is of ${asctime(endOf(set))}; set the clock right. If it is right, it was wrong then: ${remedy}`,
  );
}

const remedy = 'to begin anew, remove it with the cleanup command and --force';

/** The newest journal that this version knows. */
async function readJournal(archive: Archive): Promise<Journal | undefined> {
  const { cache, prefixes } = archive;
  const journals: Journal[] = [];
  for (const name of (await ownPartials(archive)).filter(isJournalName)) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of cache.readPartial(name)) chunks.push(Uint8Array.from(chunk));
    const journal = parseJournal(Buffer.concat(chunks));
    if (journal && JSON.stringify(journal.header.prefixes) === JSON.stringify(prefixes))
      journals.push(journal);
  }
  return journals.sort((a, b) => endOf(b.header.set) - endOf(a.header.set))[0];
}

/**
 * What lies about without a journal that we know: of sets that were begun by another version of this program, or whose
 * journal is damaged. Nobody else knows of them, so what the target has of them would stay there for good.
 * @returns these sets
 */
async function giveUpUnknown(archive: Archive, collection: Collection, host: Host): Promise<SetId[]> {
  const names = (await ownPartials(archive)).filter(isJournalName);
  const sets = names.map(name => parseName(name, archive.prefixes)!.set);
  const reason = 'what it left in the archive cache is damaged, or of another version of tsbackup';
  for (const set of sets.filter(id => incompleteSet(collection, setKey(id))))
    await giveUp(set, reason, archive, collection, host);
  await removePartial(archive);
  return sets;
}

/** Those that were finished: they have lost their manifest, which is told elsewhere, and cleanup leaves them. */
async function setsOfCache({ cache, prefixes }: Archive, { incomplete }: Collection): Promise<SetId[]> {
  const names = new Set(await cache.list());
  const ids = incomplete.map(({ id }) => id);
  return ids.filter(id => names.has(cacheName('manifest', id, 'final', prefixes)));
}

/** Unfinished sets that are nobody's here: another program's, another machine's, or of a cache that is lost. */
function reportUnknown(
  { incomplete, orphaned, orphanedSignatures }: Collection,
  known: readonly SetId[],
  { reporter }: Host,
): void {
  const loose = [...incomplete, ...orphaned, ...orphanedSignatures];
  for (const set of incomplete) {
    if (known.some(id => setKey(id) === setKey(set.id)) || isBuiltUpon(set, loose)) continue;
    const bytes = [...set.volumes.values()].reduce((sum, { size }) => sum + size, 0);
    const message = `The ${describeSet(set.id)} at the target (${formatSize(bytes)}) was not finished, and this archive cache knows nothing of it: it counts for nothing and is left as it is. If nobody is at work on it, cleanup with --force removes it.`;
    reporter.report({ level: 'notice', code: 'unfinished-at-target', message });
  }
}

function reportDamage({ header: { set }, checkpoints }: Journal, { reporter }: Host): void {
  const message = `What the ${describeSet(set)} that was interrupted left in the archive cache is damaged; it is made again from volume ${checkpoints.length + 1} on.`;
  reporter.report({ level: 'warning', code: 'journal-damaged', message });
}

/** Why a set that was interrupted can't become part of the archive, whatever is asked for. */
function reasonAgainst(
  { header: { set }, checkpoints }: Journal,
  collection: Collection,
): string | undefined {
  if (checkpoints.length === 0) return 'it had not come to the end of a volume';
  if (collection.chains.some(({ end }) => end >= endOf(set))) return 'another backup was made since';
  if (set.type === 'full') return undefined;
  const base = continuable(collection);
  const isBase = !('reason' in base) && endOf(base.last.id) === set.start;
  return isBase ? undefined : 'the backup that it builds on is not there';
}

/** Why the set is not what was asked for now. @throws BackupError where it would be a pity to lose it */
function mismatchOf(
  { header }: Journal,
  request: ContinueRequest,
  form: EnvelopeForm,
  host: Host,
): string | undefined {
  const { set, hostname: name, localdir } = header;
  const what = `the interrupted ${describeSet(set)}`;
  if (header.form !== form) {
    const kinds = { gpg: 'encrypted', gz: 'not encrypted', plain: 'neither encrypted nor compressed' };
    throw new BackupError('usage', `${what} is ${kinds[header.form]}; go on in the same way, or ${remedy}`);
  }
  if (header.keys && JSON.stringify(header.keys) !== JSON.stringify(request.keys)) {
    const [before, now] = inWords(header.keys, request.keys);
    throw new BackupError('usage', `${what} is ${before}, not ${now}; go on in the same way, or ${remedy}`);
  }
  const mismatch = sourceMismatch(
    { hostname: name, localdir, volumes: [], ending: 'volume' },
    { hostnames: [host.hostname(), hostname()], localdir: request.source },
  );
  if (!mismatch) return undefined;
  if (request.allowSourceMismatch) return 'it is of another source';
  const field = mismatch.field === 'hostname' ? 'host' : 'source folder';
  throw new BackupError(
    'source-mismatch',
    `${what} is of another ${field}: ${mismatch.stored}, not ${mismatch.current}; ${remedy}`,
  );
}

/** Two ways to seal a set, as far as they differ. */
function inWords(...ways: readonly KeysOfSet[]): string[] {
  const recipients = ways.map(({ recipients: keys }) =>
    keys.length === 0 ? 'encrypted with a passphrase' : `encrypted for ${keys.map(shortKey).join(', ')}`,
  );
  if (new Set(recipients).size > 1) return recipients;
  return ways.map(({ signer }) => (signer === undefined ? 'unsigned' : `signed by ${shortKey(signer)}`));
}

function shortKey(fingerprint: string): string {
  return `0x${fingerprint.slice(-16)}`;
}

/** The journal up to the first volume that the target does not have as it was stored. */
async function whatIsThere(
  journal: Journal,
  archive: Archive,
  collection: Collection,
  request: ContinueRequest,
  host: Host,
): Promise<Journal | undefined> {
  const { header, checkpoints } = journal;
  const volumes = incompleteSet(collection, setKey(header.set))?.volumes;
  const gap = checkpoints.findIndex(({ volume, size }) => volumes?.get(volume)?.size !== size);
  if (gap < 0) return journal;
  const name = `${describeSet(header.set)} that was interrupted`;
  if (gap === 0 && request.mode !== 'full') {
    throw new BackupError(
      'guard-stopped',
      `the target lacks the volumes of the ${name}; is the right disk mounted? If they were removed on purpose, make a full backup`,
    );
  }
  if (gap === 0) {
    await giveUp(header.set, 'its volumes are not at the target', archive, collection, host);
    return undefined;
  }
  host.reporter.report({
    level: 'warning',
    code: 'volume-lost',
    message: `Volume ${gap + 1} of the ${name} is not at the target as it was stored; it is made again.`,
  });
  return { ...journal, checkpoints: checkpoints.slice(0, gap) };
}

/** Bytes of a volume that are enough to see whether the passphrase opens it. */
const HEAD = 256 * 1024;

/** A set must have one passphrase. */
async function checkPassphrase({ header, checkpoints }: Journal, archive: Archive): Promise<void> {
  const { set, form, prefixes } = header;
  if (form !== 'gpg') return;
  const head = archive.storage.get(volumeName(set, 1, form, prefixes), {
    length: Math.min(HEAD, checkpoints[0]!.size),
  });
  try {
    for await (const _ of openEnvelope(head, form, archive.secrets)) return;
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    if (error.code === 'damaged') return; // of course: it is cut
    if (error.code !== 'wrong-passphrase') throw error;
    throw new BackupError(
      'wrong-passphrase',
      `the passphrase is not the one of the ${describeSet(set)} that was interrupted; ${remedy}`,
      {},
      { cause: error },
    );
  }
}

/**
 * Another program's unfinished run, where it shares our archive cache: it would go on with it after we have moved on,
 * and spoil the chain.
 * @returns the sets
 */
async function removeForeignParts(
  archive: Archive,
  collection: Collection,
  { reporter }: Host,
): Promise<SetId[]> {
  const { cache, prefixes } = archive;
  const sets: SetId[] = [];
  for (const name of await cache.list()) {
    const parsed = parseName(name, prefixes);
    if (!parsed?.partial) continue;
    await removeSet(incompleteSet(collection, setKey(parsed.set)), archive);
    await cache.remove(name);
    sets.push(parsed.set);
    const message = `What duplicity left of an unfinished ${describeSet(parsed.set)} is removed (${displayPath(name)}).`;
    reporter.report({ level: 'notice', code: 'foreign-partial-removed', message });
  }
  return sets;
}
