/**
 * Sigtars: the state of the tree that an incremental is compared with. One record per path, in path order; those of a
 * chain merge to the current state, the newest record of a path counting.
 * @see FORMAT.md, "Sigtar"
 */

import { comparePaths } from '../bytes.ts';
import type { Attributes, Entry } from '../entry.ts';
import type { Chunks } from '../streams.ts';
import { memberPath } from './member-path.ts';
import { encodeMemberHeader, padded } from './tar-header.ts';
import { damagedTar } from './tar-parse.ts';
import { createTarReader, type TarMember } from './tar-reader.ts';

/** `signature`: a regular file; `snapshot`: anything else that is there; `deleted`: what is there no more. */
export type SigtarKind = 'signature' | 'snapshot' | 'deleted';

export interface SigtarRecord {
  readonly path: string;
  readonly kind: SigtarKind;
  readonly attributes: Attributes;
  /** Where the record begins in the sigtar's tar bytes. */
  readonly offset: number;
}

const BATCH = 512;
const BATCH_BYTES = 256 * 1024;
const RECORD_SIZE = 10240;
const BLOCK = 512;

/**
 * Writes a record.
 * @param target has MAX_HEADER_LENGTH + the padded signature from `offset` on
 * @returns bytes written
 */
export function encodeSigtarRecord(
  target: Buffer,
  offset: number,
  { kind, entry, signature }: { kind: SigtarKind; entry: Entry; signature: Uint8Array },
): number {
  const slash = kind === 'snapshot' && entry.type === 'directory' && entry.path !== '' ? '/' : '';
  const name = `${kind}/${entry.path}${slash}`;
  const header = encodeMemberHeader(target, offset, entry, name, signature.length);
  const end = header + signature.length;
  target.set(signature, offset + header);
  target.fill(0, offset + end, offset + padded(end));
  return padded(end);
}

/** The zeros that end a sigtar of so many bytes: two blocks, then up to a multiple of 10240. */
export function endOfArchive(length: number): Uint8Array {
  const end = length + 2 * BLOCK;
  return new Uint8Array(2 * BLOCK + ((RECORD_SIZE - (end % RECORD_SIZE)) % RECORD_SIZE));
}

/**
 * Records in batches. Signatures, which are most of the bytes, are passed over.
 * @param source tar bytes
 * @throws BackupError `damaged`, also when paths are out of order
 */
export async function* readSigtar(source: Chunks): AsyncGenerator<SigtarRecord[], void, undefined> {
  let records: SigtarRecord[] = [];
  let before: string | undefined;
  let member: TarMember | undefined;
  const reader = createTarReader({
    member(next) {
      member = next;
    },
    data() {},
    memberEnd() {
      const record = recordOf(member!);
      if (before !== undefined && comparePaths(before, record.path) >= 0) {
        throw damagedTar('of signatures is out of order');
      }
      before = record.path;
      records.push(record);
    },
  });
  let passed = 0; // bytes since the last batch
  for await (const chunk of source) {
    reader.push(chunk);
    passed += chunk.length;
    if (records.length >= BATCH || (records.length > 0 && passed >= BATCH_BYTES)) {
      yield records;
      records = [];
      passed = 0;
    }
  }
  reader.end();
  if (records.length > 0) yield records;
}

function recordOf(member: TarMember): SigtarRecord {
  const slash = member.name.indexOf('/');
  const kind = member.name.slice(0, Math.max(0, slash));
  if (kind !== 'signature' && kind !== 'snapshot' && kind !== 'deleted') {
    throw damagedTar('of signatures has a member whose name does not say what it is');
  }
  return {
    path: memberPath(member.name.slice(slash + 1)),
    kind,
    attributes: member,
    offset: member.offset,
  };
}

/** A record with the number of the sigtar that it comes from, counting from 0. */
export interface MergedRecord extends SigtarRecord {
  readonly source: number;
}

/**
 * The state that the sigtars of a chain, oldest first, add up to; records in path order, in batches.
 * @param options.keepDeleted whether paths whose newest record is a deletion are given too
 */
export async function* mergeSigtars(
  sources: readonly AsyncIterable<readonly SigtarRecord[]>[],
  { keepDeleted }: { readonly keepDeleted: boolean },
): AsyncGenerator<MergedRecord[], void, undefined> {
  const cursors = sources.map(source => ({
    batches: source[Symbol.asyncIterator](),
    records: [] as readonly SigtarRecord[],
    next: 0,
    ended: false,
  }));
  let merged: MergedRecord[] = [];
  try {
    for (;;) {
      let newest = -1;
      for (const [index, cursor] of cursors.entries()) {
        while (!cursor.ended && cursor.next >= cursor.records.length) {
          const { done, value } = await cursor.batches.next();
          cursor.ended = done === true;
          cursor.records = done ? [] : value;
          cursor.next = 0;
        }
        const record = cursor.records[cursor.next];
        if (!record) continue;
        const best = newest < 0 ? undefined : cursors[newest]!.records[cursors[newest]!.next]!;
        if (!best || comparePaths(record.path, best.path) <= 0) newest = index;
      }
      if (newest < 0) break;
      const record = cursors[newest]!.records[cursors[newest]!.next]!;
      for (const cursor of cursors) if (cursor.records[cursor.next]?.path === record.path) cursor.next++;
      if (keepDeleted || record.kind !== 'deleted') merged.push({ ...record, source: newest });
      if (merged.length >= BATCH) {
        yield merged;
        merged = [];
      }
    }
    if (merged.length > 0) yield merged;
  } finally {
    for (const { batches } of cursors) await batches.return?.();
  }
}
