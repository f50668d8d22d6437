/**
 * A tar stream, pushed in any chunks, as members: both dialects that duplicity has ever written (pax and GNU). It ends
 * at the first block of zeros, or at the end of the data after a whole member; what stands behind is not looked at.
 * @see FORMAT.md, "End of a volume"
 */

import type { Attributes, EntryType } from '../entry.ts';
import { BLOCK, padded } from './tar-header.ts';
import { damagedTar, type Extension, parseHeader, parsePaxRecords, type RawHeader } from './tar-parse.ts';

export interface TarMember extends Attributes {
  /** Bytes as a latin1 string, as in the archive. */
  readonly name: string;
  readonly size: number;
  /** Where the member's header (with its extensions) begins in the stream. */
  readonly offset: number;
}

/** Calls come in stream order; `data` bytes are lent. */
export interface TarSink {
  member(member: TarMember): void;
  data(bytes: Uint8Array): void;
  memberEnd(): void;
}

export interface TarReader {
  /** @throws BackupError `damaged` */
  push(chunk: Uint8Array): void;
  /** Whether a block of zeros has come, and all that is pushed now counts for nothing. */
  hasEnded(): boolean;
  /** @throws BackupError `damaged` when the stream ends inside a member */
  end(): void;
}

const LONGEST_EXTENSION = 1 << 20;

const types: Readonly<Record<string, EntryType>> = {
  '\0': 'file',
  '0': 'file',
  '2': 'symlink',
  '3': 'chardev',
  '4': 'blockdev',
  '5': 'directory',
  '6': 'fifo',
};

export function createTarReader(sink: TarSink): TarReader {
  const block = Buffer.alloc(BLOCK);
  let filled = 0; // of the block
  let dataLeft = 0;
  let paddingLeft = 0;
  let extensionFlag: string | undefined; // the data under way belong to an extension, not to a member
  let extensionData: Uint8Array[] = [];
  let forNext: Extension = {};
  const forAll: Extension = {};
  let ended = false;
  let offset = 0;
  let memberOffset: number | undefined;

  function header(bytes: Buffer): void {
    const raw = parseHeader(bytes);
    if (!raw) {
      ended = true;
      if (memberOffset !== undefined) throw damagedTar('ends after an extension header');
      return;
    }
    memberOffset ??= offset - BLOCK;
    dataLeft = raw.size;
    if ('xgLK'.includes(raw.flag)) {
      if (raw.size > LONGEST_EXTENSION) throw damagedTar('has an extension header that is far too long');
      extensionFlag = raw.flag;
      extensionData = [];
    } else {
      sink.member(memberOf(raw));
      forNext = {};
    }
    paddingLeft = padded(dataLeft) - dataLeft;
    if (dataLeft === 0) dataEnd();
  }

  function memberOf(raw: RawHeader): TarMember {
    const type = types[raw.flag];
    if (!type) throw damagedTar(`has a member of the kind '${raw.flag}', which no backup has`);
    const { path, linkpath, uname, gname, uid, gid, mtime, size } = { ...forAll, ...forNext };
    dataLeft = type === 'file' ? (size ?? raw.size) : 0;
    const member = {
      type,
      name: path ?? raw.name,
      linkname: type === 'symlink' ? (linkpath ?? raw.linkname) : '',
      mode: raw.mode & 0o7777,
      uid: uid ?? raw.uid,
      gid: gid ?? raw.gid,
      uname: uname ?? raw.uname,
      gname: gname ?? raw.gname,
      mtimeSeconds: Math.max(0, mtime ?? raw.mtime),
      devMajor: raw.devMajor,
      devMinor: raw.devMinor,
      size: dataLeft,
      offset: memberOffset!,
    };
    memberOffset = undefined;
    return member;
  }

  function dataEnd(): void {
    if (extensionFlag === undefined) {
      sink.memberEnd();
      return;
    }
    const bytes = Buffer.concat(extensionData);
    if (extensionFlag === 'x') Object.assign(forNext, parsePaxRecords(bytes));
    else if (extensionFlag === 'g') Object.assign(forAll, parsePaxRecords(bytes));
    else {
      const text = bytes.toString('latin1').replace(/\0.*$/s, '');
      forNext = { ...forNext, [extensionFlag === 'L' ? 'path' : 'linkpath']: text };
    }
    extensionFlag = undefined;
    extensionData = [];
  }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length && !ended; ) {
        const left = chunk.length - at;
        if (dataLeft > 0) {
          const take = Math.min(dataLeft, left);
          const bytes = chunk.subarray(at, at + take);
          if (extensionFlag === undefined) sink.data(bytes);
          else extensionData.push(Uint8Array.from(bytes));
          dataLeft -= take;
          at += take;
          offset += take;
          if (dataLeft === 0) dataEnd();
        } else if (paddingLeft > 0) {
          const take = Math.min(paddingLeft, left);
          paddingLeft -= take;
          at += take;
          offset += take;
        } else {
          const take = Math.min(BLOCK - filled, left);
          block.set(chunk.subarray(at, at + take), filled);
          filled += take;
          at += take;
          offset += take;
          if (filled === BLOCK) {
            filled = 0;
            header(block);
          }
        }
      }
    },
    hasEnded: () => ended,
    end() {
      if (ended) return;
      if (dataLeft > 0 || paddingLeft > 0 || filled > 0 || memberOffset !== undefined) {
        throw damagedTar('ends in the middle of a member');
      }
    },
  };
}
