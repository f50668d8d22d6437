/**
 * Manifest text to value, line by line: the list of changed files may have a million lines and is never held. Readers
 * of this format are generous (letter case, white space, order, unknown fields), and so are we. Two rules come from
 * resumed runs, which append to what an earlier run wrote: of two blocks for one volume the later counts, and volumes
 * with a higher number than the last block in the text do not exist. A checksum that stands before what was appended is
 * not of this text.
 * @see FORMAT.md, "Manifest"
 */

import { createHash } from 'node:crypto';
import { bytesOf, pathOf, standalone } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { Change, Manifest, Position, VolumeEntry } from './manifest.ts';
import { unquote } from './quoting.ts';

export interface ManifestReader {
  /** The next bytes, cut anywhere; lent, only read. */
  push(chunk: Uint8Array): void;
  /**
   * @throws BackupError 'damaged', as `push` does, also when there is no volume at all, or one is left out, or the text has
   * not the checksum that it names
   */
  end(): Manifest;
}

const LONGEST_LINE = 1 << 20;
const MOST_VOLUMES = 1_000_000;
/** Of all paths where volumes begin and end, which are held; a few hundred kilobytes compressed may be more than memory has. */
const MOST_PATH_BYTES = 128 * 1024 * 1024;
const MOST_INCOMPLETE = 10_000;
/** Of all that is no list of changes: a million volumes of whose paths the above is true. A line costs more than its bytes. */
const MOST_TEXT = 2 ** 31;
const LINE_COST = 128;
// Written out, because `\s` and trim() also take a no-break space, which in a latin1 string is half of a letter.
const WORD = /[^\t-\r ]+/;
const WORDS = /[^\t-\r ]+/g;

/** How everybody writes lines of changes; others are read too, but take longer. */
const usualChanges = ['new', 'changed', 'deleted'].map(change => bytesOf(`    ${change} `));
const NEWLINE = 0x0a;

function startsWith(bytes: Buffer, at: number, start: Buffer): boolean {
  for (let i = 0; i < start.length; i++) if (bytes[at + i] !== start[i]) return false;
  return true;
}

/** @param onChange told every line of the list of changed files, in order */
export function createManifestReader(onChange?: (change: Change, path: string) => void): ManifestReader {
  let pending = '';
  let hostname: string | undefined;
  let localdir: string | undefined;
  const volumes = new Map<number, VolumeEntry>();
  const incomplete: string[] = [];
  let block: OpenBlock | undefined;
  let lastNumber = 0;
  let pathBytes = 0;
  let textBytes = 0;
  let filelist: { readonly count: number; seen: number } | undefined;
  const sum = createHash('sha256');
  let checksum: string | undefined;

  /** @returns whether it is the checksum of all other lines */
  function readLine(line: string): boolean {
    const first = WORD.exec(line);
    if (!first) {
      countText(line);
      return false;
    }
    const keyword = first[0].toLowerCase();
    if (keyword === 'checksum') return readChecksum(line.match(WORDS)!);
    readOther(line, keyword);
    return false;
  }

  function readChecksum([, name, hex]: string[]): boolean {
    if (name?.toUpperCase() !== 'SHA256') return false; // not one of ours
    checksum = hex?.toLowerCase() ?? '';
    return true;
  }

  function readOther(line: string, keyword: string): void {
    if (filelist && isChange(keyword)) {
      filelist.seen++;
      onChange?.(keyword, parsePath(line.match(WORDS)![1]));
      return;
    }
    countText(line);
    const words = line.match(WORDS)!;
    if (words[0]![0] === line[0] && readHeading(keyword, words, line)) return;
    if (!block) return;
    if (keyword === 'incomplete') {
      if (incomplete.length < MOST_INCOMPLETE) incomplete.push(held(parsePath(words[1])));
    } else readField(block, keyword, words);
  }

  function readHeading(keyword: string, words: string[], line: string): boolean {
    switch (keyword) {
      case 'hostname':
        hostname ??= standalone(stripBlanks(line.slice(keyword.length)));
        return true;
      case 'localdir':
        localdir ??= standalone(unquote(words[1] ?? ''));
        return true;
      case 'filelist':
        if (filelist) checksum = undefined;
        filelist = { count: parseNumber(words[1]) ?? 0, seen: 0 };
        return true;
      case 'volume':
        closeBlock();
        block = openBlock(words[1]);
        filelist = undefined;
        checksum = undefined;
        return true;
      default:
        return false;
    }
  }

  function closeBlock(): void {
    if (!block) return;
    const { number, start, end, sha1, md5 } = block;
    if (!start || !end) throw damaged(`A manifest does not say which paths volume ${number} holds.`, number);
    volumes.set(number, {
      number,
      start: { ...start, path: held(start.path) },
      end: { ...end, path: held(end.path) },
      ...(sha1 !== undefined && { sha1: standalone(sha1) }),
      ...(md5 !== undefined && { md5: standalone(md5) }),
      ...(volumes.has(number) && { resumed: true as const }),
    });
    if (volumes.size > MOST_VOLUMES) throw damaged('A manifest names more volumes than any backup set has.');
    lastNumber = number;
  }

  /** A path that stays, which is not to keep the text around it. */
  function held(path: string): string {
    pathBytes += path.length;
    if (pathBytes > MOST_PATH_BYTES) {
      throw damaged('A manifest names paths that are too long together to be true.');
    }
    return standalone(path);
  }

  function countText(line: string): void {
    textBytes += line.length + LINE_COST;
    if (textBytes > MOST_TEXT) throw damaged('A manifest is longer than that of any backup set.');
  }

  /** Counts lines of changes from `from` on, if nobody wants to hear them. @returns where the first other line begins */
  function passChanges(bytes: Buffer, from: number): number {
    let at = from;
    if (!filelist || onChange) return at;
    for (let end = bytes.indexOf(NEWLINE, at); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      if (!usualChanges.some(change => startsWith(bytes, at, change))) break;
      filelist.seen++;
      at = end + 1;
    }
    return at;
  }

  return {
    push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      let summed = 0; // what stands before went into the sum, or is not to
      const cut = pending === '' ? 0 : bytes.indexOf(NEWLINE) + 1;
      if (cut > 0) {
        if (readLine(pending + pathOf(bytes.subarray(0, cut - 1)))) summed = cut;
        else sum.update(bytesOf(pending));
        pending = '';
      }
      const start = pending === '' ? passChanges(bytes, cut) : 0;
      const text = pathOf(bytes.subarray(start));
      let from = 0;
      for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
        if (readLine(text.slice(from, to))) {
          sum.update(bytes.subarray(summed, start + from));
          summed = start + to + 1;
        }
        from = to + 1;
      }
      pending += text.slice(from);
      if (summed < start + from) sum.update(bytes.subarray(summed, start + from));
      if (pending.length > LONGEST_LINE) throw damaged('A manifest has a line that is longer than any path.');
    },

    end() {
      const lineCut = pending !== '';
      if (!readLine(pending)) sum.update(bytesOf(pending));
      closeBlock();
      if (volumes.size === 0) throw damaged('A manifest names no volumes; it is empty or not a manifest.');
      const kept = [...volumes.values()]
        .filter(volume => volume.number <= lastNumber)
        .sort((a, b) => a.number - b.number);
      const gap = kept.findIndex(({ number }, index) => number !== index + 1) + 1;
      if (gap > 0) throw damaged(`A manifest names volume ${lastNumber}, but not volume ${gap}.`, gap);
      const isCut = lineCut || (filelist && filelist.seen < filelist.count);
      const ending = isCut ? 'cut' : filelist ? 'filelist' : 'volume';
      const isProved = checksum === sum.digest('hex');
      // Of a text that has lost its end the checksum says nothing; what is there of it may be right.
      if (checksum !== undefined && !isProved && ending === 'filelist') {
        throw damaged('A manifest has not the checksum that it names.');
      }
      return {
        ...(hostname !== undefined && { hostname }),
        ...(localdir !== undefined && { localdir }),
        volumes: kept,
        ...(incomplete.length > 0 && { incomplete }),
        ...(isProved && { isProved }),
        ending: checksum !== undefined && !isProved ? 'cut' : ending,
      };
    },
  };
}

interface OpenBlock {
  readonly number: number;
  start?: Position;
  end?: Position;
  sha1?: string;
  md5?: string;
}

function openBlock(word: string | undefined): OpenBlock {
  const number = parseNumber(word?.replace(/:$/, ''));
  if (number === undefined || number < 1) throw damaged('A manifest has a volume without a number.');
  return { number };
}

function readField(block: OpenBlock, keyword: string, words: string[]): void {
  if (keyword === 'startingpath') {
    if (block.start)
      throw damaged(`A manifest names two beginnings of volume ${block.number}.`, block.number);
    block.start = parsePosition(words);
  } else if (keyword === 'endingpath') block.end = parsePosition(words);
  else if (keyword === 'hash') {
    const name = words[1]?.toUpperCase();
    const sum = words[2]?.toLowerCase() ?? '';
    if (name === 'SHA1') block.sha1 = checkedSum(sum, 40, block.number);
    else if (name === 'MD5') block.md5 = checkedSum(sum, 32, block.number);
  }
}

function parsePosition(words: string[]): Position {
  const path = parsePath(words[1]);
  const block = parseNumber(words[2]);
  return block === undefined ? { path } : { path, block };
}

function parsePath(word: string | undefined): string {
  if (word === undefined) throw damaged('A manifest has a line without its path.');
  return word === '.' ? '' : unquote(word);
}

function parseNumber(word: string | undefined): number | undefined {
  return word !== undefined && /^\d{1,9}$/.test(word) ? Number(word) : undefined;
}

function checkedSum(sum: string, digits: number, volume: number): string {
  if (sum.length !== digits || !/^[\da-f]+$/.test(sum)) {
    throw damaged(`A manifest holds no proper checksum for volume ${volume}.`, volume);
  }
  return sum;
}

function isChange(word: string): word is Change {
  return word === 'new' || word === 'changed' || word === 'deleted';
}

function stripBlanks(text: string): string {
  return text.replace(/^[\t-\r ]+|[\t-\r ]+$/g, '');
}

function damaged(message: string, volume?: number): BackupError {
  return new BackupError('damaged', message, volume === undefined ? {} : { volume });
}
