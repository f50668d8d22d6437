/**
 * What a target can do: tries everything that backups need of it on objects of its own, which it deletes again, and
 * says which options to use. For S3 it also finds out how the bucket wants to be addressed.
 */

import { randomBytes } from 'node:crypto';
import { BackupError, messageOf } from '../errors.ts';
import type { Reporter } from '../report.ts';
import { createFolderStorage } from '../storage/folder.ts';
import { openS3, type S3Host, type S3Options, type S3Storage } from '../storage/s3.ts';
import { SMALLEST_PART } from '../storage/s3-options.ts';
import type { Storage } from '../storage/storage.ts';
import { parseTarget, type S3Target } from '../storage/url.ts';
import { type Chunks, collect, fromChunks } from '../streams.ts';

export interface ProbeRequest {
  readonly url: string;
  readonly s3?: S3Options;
}

export interface ProbeHost {
  /** One line for the person. */
  print(line: string): void;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
  /** For tests: the clock of retries, smaller parts. */
  readonly s3Host?: S3Host;
}

export interface ProbeStep {
  /** What was tried, for example `put`. */
  readonly step: string;
  /** A note is about what backups can do without. */
  readonly outcome: 'works' | 'fails' | 'note';
  /** What came of it, or the error with its remedy. */
  readonly detail: string;
  readonly milliseconds: number;
}

export interface ProbeResult {
  readonly target: string;
  /** Whether backups can be made there and restored. */
  readonly usable: boolean;
  readonly steps: readonly ProbeStep[];
  /** Options for the command line that the target needs besides those given. */
  readonly options: readonly string[];
}

/** A result table as lines. */
export function formatProbe({ target, usable, steps, options }: ProbeResult): string[] {
  const width = Math.max(...steps.map(({ step }) => step.length));
  return [
    `Target: ${target}`,
    ...steps.map(({ step, outcome, detail, milliseconds }) =>
      `${step.padEnd(width)}  ${outcome.padEnd(7)}  ${String(Math.round(milliseconds)).padStart(5)} ms  ${detail}`.trimEnd(),
    ),
    usable ? 'Backups can be kept here.' : 'Backups can NOT be kept here as it is.',
    ...(options.length > 0 ? [`Options to use: ${options.join(' ')}`] : []),
  ];
}

/**
 * Prints the table and gives it back.
 * @throws BackupError 'usage' for a URL that is none, the signal's reason
 */
export async function probe({ url, s3 = {} }: ProbeRequest, host: ProbeHost): Promise<ProbeResult> {
  const target = parseTarget(url);
  const steps: ProbeStep[] = [];
  const tried: Try = (step, work) => attempt(steps, step, work, host.signal);
  let needed: readonly string[] | undefined = [];
  let storage: Storage;
  let met = 0; // steps before the target was met are no failures of it
  if (target.scheme === 'file') {
    storage = createFolderStorage(target.path);
    await exercise(storage, tried, host);
  } else {
    const bucket = await contact(target, s3, tried, host);
    ({ storage, needed } = bucket);
    met = steps.length;
    try {
      if (needed) {
        await exercise(storage, tried, host);
        await exerciseS3(bucket.storage, tried);
      }
    } finally {
      await storage.close();
    }
  }
  const usable = needed !== undefined && steps.slice(met).every(({ outcome }) => outcome !== 'fails');
  const result = { target: storage.description, usable, steps, options: needed ?? [] };
  for (const line of formatProbe(result)) host.print(line);
  return result;
}

const CLEANUP_MS = 3000; // a run that was told to end has no more

type Try = (step: string, work: () => Promise<string>) => Promise<boolean>;

async function attempt(
  steps: ProbeStep[],
  step: string,
  work: () => Promise<string>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted();
  const start = performance.now();
  const note = (outcome: ProbeStep['outcome'], detail: string) =>
    steps.push({ step, outcome, detail, milliseconds: performance.now() - start });
  try {
    const detail = await work();
    note('works', detail);
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof Note) note('note', error.message);
    else note('fails', messageOf(error));
    return error instanceof Note;
  }
}

/** Thrown by a step that shows nothing which backups need. */
class Note extends Error {}

/** What every storage must do. */
async function exercise(storage: Storage, tried: Try, { signal, reporter }: ProbeHost): Promise<void> {
  const name = `tsbackup-probe-${randomBytes(6).toString('hex')}`;
  const large = `${name}-large`;
  try {
    await exerciseOn(storage, name, large, tried, signal);
  } finally {
    if (signal?.aborted) await clearUp(storage, [name, large], reporter);
  }
}

/** Deletes what an interrupted probe may have put. */
async function clearUp(storage: Storage, names: readonly string[], reporter: Reporter): Promise<void> {
  const signal = AbortSignal.timeout(CLEANUP_MS);
  try {
    await Promise.all(names.map(name => storage.delete(name, { signal })));
  } catch (error) {
    reporter.report({
      level: 'notice',
      code: 'probe-objects-left',
      message: `Objects of this probe may be left at the target, their names begin with ${names[0]}: ${messageOf(error)}`,
    });
  }
}

/** Steps that build on a failed one are not tried. */
async function exerciseOn(
  storage: Storage,
  name: string,
  large: string,
  tried: Try,
  signal: AbortSignal | undefined,
): Promise<void> {
  const content = randomBytes(70_000);
  const largeContent = randomBytes(SMALLEST_PART * 2); // two parts
  const cut = signal ? { signal } : {};
  await tried('list', async () => {
    const count = await countUpTo(storage, 1000);
    return count < 1000 ? `${count} objects` : '1000 objects or more';
  });
  const isThere = await tried('put', async () => {
    await storage.put(name, fromChunks(content), { ...cut, kind: 'metadata' });
    return '';
  });
  if (isThere) {
    await tried('get', () => same(storage.get(name, cut), content));
    await tried('range', () =>
      same(storage.get(name, { ...cut, offset: 1000, length: 5000 }), content.subarray(1000, 6000)),
    );
    await tried('stat', async () => {
      const found = await storage.stat(name);
      if (found?.size !== content.length) throw new Error(`the size is given as ${found?.size}`);
      return '';
    });
  }
  const isLargeThere = await tried('multipart', async () => {
    await storage.put(large, slices(largeContent), { ...cut, kind: 'metadata' });
    return same(storage.get(large, cut), largeContent);
  });
  await tried('delete', async () => {
    await storage.delete(name);
    await storage.delete(large);
    if ((isThere && (await storage.stat(name))) || (isLargeThere && (await storage.stat(large))))
      throw new Error('what was deleted is still there. Is the bucket or share protected against deleting?');
    return '';
  });
}

async function countUpTo(storage: Storage, most: number): Promise<number> {
  let count = 0;
  for await (const _ of storage.list()) if (++count === most) break;
  return count;
}

async function same(got: Chunks, wanted: Uint8Array): Promise<string> {
  if (!Buffer.from(await collect(got)).equals(wanted))
    throw new Error('other bytes come back than were stored');
  return '';
}

async function* slices(bytes: Uint8Array): Chunks {
  const size = 256 * 1024;
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

/** What S3 services differ in, and backups can do without. */
async function exerciseS3(storage: S3Storage, tried: Try): Promise<void> {
  await tried('checksums', async () => {
    if (storage.checksums()) return '';
    throw new Note('refused; they are left out by themselves, and ETags compared instead');
  });
  await tried('clear up', async () => {
    try {
      const count = await storage.countStale();
      return count === 0 ? '' : `${count} unfinished uploads of crashed runs, which the next backup clears`;
    } catch (error) {
      throw new Note(`let a rule of the bucket delete unfinished uploads: ${messageOf(error)}`);
    }
  });
}

interface Variant {
  readonly step: string;
  readonly options: S3Options;
  readonly needed: readonly string[];
}

/** Finds a way of addressing the bucket that is answered, first as the user has it; `needed` says what to change. */
async function contact(
  target: S3Target,
  given: S3Options,
  tried: Try,
  host: ProbeHost,
): Promise<{ storage: S3Storage; needed: readonly string[] | undefined }> {
  const s3Host = { reporter: host.reporter, ...host.s3Host };
  const quick = {
    ...given,
    multipartChunkSize: SMALLEST_PART,
    numRetries: Math.min(given.numRetries ?? QUICK.numRetries, QUICK.numRetries),
    retryFor: Math.min(given.retryFor ?? QUICK.retryFor, QUICK.retryFor),
  };
  const storage = await openS3(target, quick, s3Host);
  let answered = true;
  let region: string | undefined;
  const isMet = await tried(styleOf(storage.pathStyle), () =>
    answers(storage).catch(error => {
      if (error instanceof BackupError) {
        answered = error.code !== 'target-unreachable';
        if (error.facts['region'] !== undefined) region = String(error.facts['region']);
      }
      throw error;
    }),
  );
  if (isMet || !answered) return { storage, needed: isMet ? [] : undefined };
  for (const { step, options, needed } of variants(target, given, storage.pathStyle, region)) {
    const other = await openS3(target, { ...quick, ...options }, s3Host);
    let works = false;
    await tried(step, async () => {
      await answers(other);
      works = true;
      return `with ${needed.join(' ')}`;
    });
    if (works) {
      await storage.close();
      return { storage: other, needed };
    }
    await other.close();
  }
  return { storage, needed: undefined };
}

const QUICK = { numRetries: 3, retryFor: 10 }; // someone waits for the table
const styleOf = (pathStyle: boolean) => (pathStyle ? 'path style' : 'host style');

/** Other ways to address the bucket, where the user has left them open. */
function variants(
  target: S3Target,
  given: S3Options,
  pathStyle: boolean,
  region: string | undefined,
): Variant[] {
  const endpoint = given.endpointUrl ?? target.endpoint;
  const found: Variant[] = [];
  if (region !== undefined && region !== given.regionName) {
    const needed = [`--s3-region-name=${region}`];
    found.push({ step: 'region', options: { regionName: region }, needed });
  }
  if (given.pathStyle === undefined) {
    const needed = [`--s3-path-style=${pathStyle ? 'no' : 'yes'}`];
    found.push({ step: styleOf(!pathStyle), options: { pathStyle: !pathStyle }, needed });
  }
  if (endpoint !== undefined && !endpoint.includes('://') && !given.unencryptedConnection) {
    const needed = ['--s3-unencrypted-connection'];
    found.push({ step: 'plain HTTP', options: { unencryptedConnection: true }, needed });
  }
  return found;
}

async function answers(storage: S3Storage): Promise<string> {
  if (await storage.exists()) return '';
  throw new Error(
    `There is no bucket as in ${storage.description}. Check the name and the endpoint, or create it.`,
  );
}
