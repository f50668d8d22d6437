/**
 * An archive as the commands see it: the target, the archive cache that mirrors its metadata, and what is needed to
 * open what is stored there. Metadata always come by way of the cache, so the next command finds them at hand.
 */

import { comparePaths, displayPath } from '../bytes.ts';
import { type ArchiveCache, openArchiveCache } from '../cache/archive-cache.ts';
import { type MetadataKind, plausible } from '../cache/plausible.ts';
import { copyToCache, type MetadataCopy } from '../cache/sync.ts';
import { type RestoreThread, startRestoreThread } from '../engine/restore-thread.ts';
import { tidied } from '../engine/tidy.ts';
import { BackupError, clauseOf } from '../errors.ts';
import type { Keys } from '../keys/keys.ts';
import { type Chain, type Collection, collectSets } from '../manifest/chains.ts';
import type { Manifest, VolumeEntry } from '../manifest/manifest.ts';
import { createManifestReader } from '../manifest/manifest-reader.ts';
import { cacheName, type Form, type Prefixes, type SetId, setKey } from '../manifest/names.ts';
import { type BackupSet, describeSet, goesBeyond, type StoredObject } from '../manifest/sets.ts';
import { planSync } from '../manifest/sync.ts';
import { openStorage } from '../storage/open.ts';
import { listAll, type Storage } from '../storage/storage.ts';
import { cacheNameFor } from '../storage/url.ts';
import type { Chunks } from '../streams.ts';
import { createDeflater } from '../volumes/deflate.ts';
import { createSegmentWrapper, openEnvelope } from '../volumes/envelope.ts';
import type { Secrets } from '../volumes/openpgp-session.ts';
import type { CommonOptions, Host } from './host.ts';
import { interruptible } from './interruptible.ts';
import { createKeyRing } from './key-ring.ts';
import { readAgain } from './read-again.ts';
import { setsBeingRemoved } from './removal-note.ts';
import { createVolumeFetcher, isSummed, proveVolume, type WantedVolume } from './volume-fetch.ts';
import { createVolumeKeys } from './volume-keys.ts';
import { watchStorage } from './watchdog.ts';

export interface Archive {
  readonly storage: Storage;
  /** Where there is a second processor. */
  readonly thread: RestoreThread | undefined;
  readonly cache: ArchiveCache;
  readonly prefixes: Prefixes;
  readonly secrets: Secrets;
  keys(): Promise<Keys>;
  /** The sets at the target, from a fresh listing; what is odd about them is reported. */
  collection(): Promise<Collection>;
  /** The same for readers: sets that have lost their manifest, and only that, and by no removal, count as complete. */
  readableCollection(): Promise<Collection>;
  /** Copies manifests and signatures of a chain that the cache lacks from the target. */
  synchronize(collection: Collection, chain: Chain): Promise<void>;
  /** @throws BackupError of the target, `damaged` naming the set, or `object-missing` if it is nowhere */
  manifestOf(set: BackupSet): Promise<Manifest>;
  /**
   * The tar bytes of a set's signatures.
   * @param chunk as for openVolume
   * @throws BackupError `no-chain` when the target has none for the set
   */
  sigtarOf(set: BackupSet, chunk?: number): Promise<Chunks>;
  /** Plain bytes of a manifest or of signatures as they are at the target, past the cache. */
  openAtTarget(object: StoredObject, kind: MetadataKind): Chunks;
  /** A set's manifest or signatures in the archive cache, plain; undefined if they are not there. */
  openInCache(set: BackupSet, kind: MetadataKind): Promise<Chunks | undefined>;
  /** The same if the archive cache has them. */
  cachedSigtarOf(set: BackupSet): Promise<Chunks | undefined>;
  /**
   * The tar bytes of a volume. Its stored bytes have been read and their checksum agrees when this resolves.
   * @param counted sees the stored bytes once more as they are opened
   * @param chunk how many bytes each stage is to hold, where many volumes are open; default: as is fastest
   * @throws BackupError `volume-missing`, `volume-damaged`, or of the target
   */
  openVolume(
    set: BackupSet,
    volume: VolumeEntry,
    counted: (stored: Chunks) => Chunks,
    chunk?: number,
  ): Promise<Chunks>;
  /**
   * Reads a volume as it is stored, without opening it.
   * @returns whether its checksum agrees with the manifest's; false if the manifest has none
   * @throws BackupError `volume-missing`, `volume-damaged`, or of the target
   */
  proveStored(set: BackupSet, volume: VolumeEntry, counted: (stored: Chunks) => Chunks): Promise<boolean>;
  /** Begins to fetch a volume that will be opened next. */
  expectVolume(set: BackupSet, volume: VolumeEntry): void;
  /** Begins to derive the keys of local volumes that will be opened, in this order, where there is a second processor. */
  expectKeys(volumes: readonly { readonly set: BackupSet; readonly volume: VolumeEntry }[]): void;
  close(): Promise<void>;
}

/**
 * @param checked whether every object must bear the signature of the key that the user named, if one is named
 * @param thread given; made here if need be
 */
export async function openArchive(
  url: string,
  options: CommonOptions,
  host: Host,
  {
    checked = false,
    thread = startRestoreThread(host.cores, false),
  }: { readonly checked?: boolean; readonly thread?: RestoreThread | undefined } = {},
): Promise<Archive> {
  try {
    return await openWith(url, options, host, checked, thread);
  } catch (error) {
    await thread?.close();
    throw error;
  }
}

async function openWith(
  url: string,
  options: CommonOptions,
  host: Host,
  checked: boolean,
  thread: RestoreThread | undefined,
): Promise<Archive> {
  const { reporter, signal } = host;
  const opened = await openStorage(url, options.s3 ?? {}, reporter, () => cache.identity());
  const storage = interruptible(watchStorage(opened, host.watchdog), signal);
  const cache = await openArchiveCache(options.archiveDir, options.name ?? cacheNameFor(url));
  const prefixes = options.prefixes ?? {};
  const keys = createKeyRing(options, host);
  const secrets: Secrets = {
    passphrase: () => host.passphrase(false),
    derived: new Map(),
    sessionKeys: async packets => (await keys()).secrets.sessionKeys!(packets),
  };
  const volumeKeys = createVolumeKeys(storage, thread, secrets, signal);
  const fetcher = createVolumeFetcher(storage, thread, { ...host, tempdir: options.tempdir });
  async function* openSigned(
    stored: Chunks,
    form: Form,
    chunk: number | undefined,
  ): Chunks & AsyncGenerator<Uint8Array> {
    const signedBy = await (await keys()).verifier();
    yield* openEnvelope(stored, form, secrets, { signedBy, chunk });
  }
  const isSigned = checked && options.keys?.signKey !== undefined;
  const open = (stored: Chunks, form: Form, chunk?: number) =>
    isSigned
      ? openSigned(stored, form, chunk)
      : openEnvelope(stored, form, secrets, { chunk, sha1: thread?.sha1 });

  const metadataAtTarget = (object: StoredObject, kind: MetadataKind) =>
    plausible(storage.get(object.name, { signal }), kind, stored => open(stored, formOf(object)));

  const fetch = async (copies: readonly MetadataCopy[]) => {
    for (const copy of copies) {
      try {
        await readAgain(storage, () =>
          copyToCache([copy], storage, cache, { open, compress: gzip, reporter, signal }),
        );
      } catch (error) {
        throw named(error, `${displayPath(copy.remoteName)} at the target`);
      }
    }
  };

  /** The cached copy of a set's manifest or signatures, made if it is not there, or `again`; its name in the cache. */
  const cached = async (set: BackupSet, kind: MetadataKind, object: StoredObject, again = false) => {
    const localName = cacheName(kind, set.id, 'final', prefixes);
    if (again || !(await cache.has(localName))) {
      const { name: remoteName, size } = object;
      await fetch([{ kind, remoteName, size, form: formOf(object), localName }]);
    }
    return localName;
  };

  const collect = async (wasComplete?: (id: SetId) => boolean) => {
    const collection = collectSets(await listAll(storage), prefixes, wasComplete);
    for (const { code, message } of collection.problems) {
      reporter.report({ level: 'warning', code, message });
    }
    return collection;
  };

  const parse = async (text: Chunks) => {
    const reader = createManifestReader();
    for await (const chunk of tidied(text, 2)) reader.push(chunk); // as text, in lines
    return reader.end();
  };
  const readManifest = (localName: string) => parse(cache.read(localName, { signal }));

  const copiedAgain = new Map<BackupSet, Promise<Manifest | undefined>>();
  /**
   * The manifest as it is at the target, which the cache has from then on; undefined if it can't be had. It is read before
   * it takes the place of a copy that may be better.
   */
  const copyAgain = (set: BackupSet) => {
    const known = copiedAgain.get(set);
    const copied =
      known ??
      parse(metadataAtTarget(set.manifest!, 'manifest'))
        .then(() => cached(set, 'manifest', set.manifest!, true))
        .then(readManifest)
        .catch(error => {
          if (!(error instanceof BackupError)) throw error;
          return undefined;
        });
    copiedAgain.set(set, copied);
    return copied;
  };

  /** Fetches a volume; its checksum may be wrong in the archive cache alone, and then that of the target counts. */
  const fetchVolume = async (set: BackupSet, volume: WantedVolume) => {
    try {
      return await fetcher.fetch(volume);
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== 'volume-damaged' || !set.manifest) throw error;
      const { number, sha1, md5 } = volume.entry;
      const entry = (await copyAgain(set))?.volumes.find(other => other.number === number);
      if (!entry || (entry.sha1 === sha1 && entry.md5 === md5)) throw error;
      return fetcher.fetch({ ...volume, entry });
    }
  };

  return {
    storage,
    thread,
    cache,
    prefixes,
    secrets,
    keys,
    collection: () => collect(),
    async readableCollection() {
      const manifests = new Set(await cache.list());
      const removed = setsBeingRemoved({ cache, prefixes });
      return collect(
        id => manifests.has(cacheName('manifest', id, 'final', prefixes)) && !removed.has(setKey(id)),
      );
    },
    async synchronize(collection, chain) {
      const sizes = new Map(collection.chains.flatMap(({ sets }) => sets.flatMap(metadataSizes)));
      const plan = planSync(sizes.keys(), await cache.list(), chain, prefixes);
      if (plan.fetch.length === 0) return;
      reporter.report({
        level: 'notice',
        code: 'synchronizing',
        message: `Copying ${plan.fetch.length} manifests and signatures from the target to the archive cache.`,
      });
      await fetch(
        plan.fetch.map(({ kind, name, cacheName: localName, ...form }) => ({
          kind,
          remoteName: name,
          size: sizes.get(name),
          localName,
          form: formOf(form),
        })),
      );
    },
    async manifestOf(set) {
      const object = set.manifest;
      if (!object) {
        const copy = cacheName('manifest', set.id, 'final', prefixes);
        if (await cache.has(copy)) return readManifest(copy);
        throw new BackupError(
          'object-missing',
          `the manifest of the ${describeSet(set.id)} is not at the target`,
        );
      }
      const localName = await cached(set, 'manifest', object);
      try {
        const manifest = await readManifest(localName);
        return (isDoubtful(manifest, set) && (await copyAgain(set))) || manifest;
      } catch (error) {
        if (!(error instanceof BackupError) || error.code !== 'damaged') throw error;
        await cached(set, 'manifest', object, true); // the copy may be at fault: once more from the target
        return readManifest(localName).catch(cause => {
          throw named(cause, `${displayPath(object.name)} at the target`);
        });
      }
    },
    async sigtarOf(set, chunk) {
      if (!set.signatures) {
        throw new BackupError(
          'no-chain',
          `the signatures of the ${describeSet(set.id)} are not at the target`,
        );
      }
      const localName = await cached(set, 'signatures', set.signatures);
      const openCopy = () => openEnvelope(cache.read(localName, { signal, chunk }), 'gz', secrets, { chunk });
      if (!(await isWhole(openCopy()))) {
        await cache.remove(localName);
        await cached(set, 'signatures', set.signatures);
      }
      return openCopy();
    },
    openAtTarget: (object, kind) =>
      naming(metadataAtTarget(object, kind), `${displayPath(object.name)} at the target`),
    async openInCache(set, kind) {
      const localName = cacheName(kind, set.id, 'final', prefixes);
      if (!(await cache.has(localName))) return undefined;
      const stored = cache.read(localName, { signal });
      return kind === 'manifest' ? stored : openEnvelope(stored, 'gz', secrets);
    },
    async cachedSigtarOf(set) {
      const localName = cacheName('signatures', set.id, 'final', prefixes);
      if (!set.signatures || !(await cache.has(localName))) return undefined;
      return openEnvelope(cache.read(localName, { signal }), 'gz', secrets);
    },
    async proveStored(set, volume, counted) {
      const { object, name, entry } = found(set, volume);
      const stored = storage.get(object.name, { signal, hasChecksum: isSummed(entry) });
      return proveVolume(counted(stored), { object, name, entry });
    },
    async openVolume(set, volume, counted, chunk) {
      const { object, name, entry } = found(set, volume);
      volumeKeys.begin(object, false);
      const fetched = await fetchVolume(set, { object, entry, name });
      // Without a sum only the envelope's own check, which stands at its end, tells whether the bytes can be trusted;
      // and so does a signature.
      const plain = (isLast: boolean) => {
        const stored = fetched.read(isLast, chunk);
        return naming(open(isLast ? counted(stored) : stored, formOf(object), chunk), name);
      };
      if (!fetched.isProved || isSigned) await drain(plain(false));
      return plain(true);
    },
    expectVolume(set, volume) {
      const { object, name, entry } = wanted(set, volume);
      if (!object) return;
      fetcher.prefetch({ object, entry, name });
      volumeKeys.begin(object, true);
    },
    expectKeys(volumes) {
      volumeKeys.expect(volumes.flatMap(({ set, volume }) => wanted(set, volume).object ?? []));
    },
    async close() {
      volumeKeys.stop();
      await thread?.close();
      await fetcher.close();
      await storage.close();
    },
  };
}

/** Whether a manifest looks as if it had lost something, or was changed. */
function isDoubtful({ ending, volumes }: Manifest, set: BackupSet): boolean {
  const last = volumes.at(-1)!.number;
  if (ending === 'cut' || goesBeyond(set, last)) return true;
  return volumes.some(
    ({ start, end }, index) =>
      comparePaths(start.path, end.path) > 0 ||
      comparePaths(volumes[index - 1]?.end.path ?? '', end.path) > 0,
  );
}

function wanted(set: BackupSet, entry: VolumeEntry) {
  const name = `volume ${entry.number} of the ${describeSet(set.id)}`;
  return { object: set.volumes.get(entry.number), name, entry };
}

function found(set: BackupSet, volume: VolumeEntry) {
  const { object, name, entry } = wanted(set, volume);
  if (!object) throw new BackupError('volume-missing', `${name} is not at the target`);
  return { object, name, entry };
}

export function formOf(object: { readonly encrypted: boolean; readonly compressed: boolean }): Form {
  if (object.encrypted) return 'gpg';
  return object.compressed ? 'gz' : 'plain';
}

function metadataSizes(set: BackupSet): [name: string, size: number][] {
  return [set.manifest, set.signatures].flatMap(object => (object ? [[object.name, object.size]] : []));
}

/** What went wrong with something at the target, with its name. */
function named(error: unknown, name: string): unknown {
  if (!(error instanceof BackupError)) return error;
  const text = {
    'wrong-passphrase': /passphrase/.test(error.message)
      ? `the passphrase does not open ${name}`
      : `${name} can't be opened: ${clauseOf(error)}`,
    'wrong-signature': `${name} is not signed as it must be: ${clauseOf(error)}`,
    damaged: `${name} is damaged: ${clauseOf(error)}`,
  }[error.code as string];
  return text === undefined ? error : new BackupError(error.code, text, {}, { cause: error });
}

async function* naming(chunks: Chunks, name: string): Chunks & AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw named(error, name);
  }
}

async function drain(chunks: Chunks): Promise<void> {
  for await (const _ of chunks);
}

async function isWhole(plain: Chunks): Promise<boolean> {
  try {
    await drain(plain);
    return true;
  } catch (error) {
    if (error instanceof BackupError && error.code === 'damaged') return false;
    throw error;
  }
}

async function* gzip(plain: Chunks): Chunks & AsyncGenerator<Uint8Array> {
  const deflater = createDeflater({ dictionary: false });
  const wrapper = createSegmentWrapper({ form: 'gz', mtimeSeconds: 0 });
  yield wrapper.start();
  for await (const chunk of plain) yield wrapper.push(await deflater.push(chunk));
  yield wrapper.end(deflater);
}
