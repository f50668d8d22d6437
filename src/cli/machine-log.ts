/**
 * The log that programs written for duplicity read (`--log-fd`): `KEYWORD CODE EXTRA`, the text with `. ` before each
 * line, an empty line. Where we have no event of the kind the code is 1, which means nothing in particular.
 */

import { displayPath } from '../bytes.ts';
import type { EntryType } from '../entry.ts';
import { typeWords } from '../files/difference.ts';
import { asctime, compactTime, formatTime } from '../manifest/time.ts';
import type { Item, Progress, Report } from '../report.ts';
import type { Pace } from './pace.ts';
import { progressLine } from './progress.ts';

/** Codes of events that have one; EXTRA is the path, or how many bytes are done. */
const codes: Readonly<Record<string, number>> = {
  'source-unreadable': 10,
  'source-changed': 12,
  'signatures-without-backup': 4,
  'set-unfinished': 5,
  'volume-stored': 2,
  'entry-new': 4,
  'entry-changed': 5,
  'entry-deleted': 6,
};

export function machineRecord({ level, code, message, facts }: Report): string {
  const number = level === 'warning' || level === 'info' ? (codes[code] ?? 1) : 1;
  const path = number === 1 ? undefined : facts?.path;
  const done = code === 'volume-stored' ? ` ${facts?.bytesDone ?? 0}` : '';
  const extra = path === undefined ? done : ` ${quoted(String(path) || '.')}`;
  return record(`${level.toUpperCase()} ${number}${extra}`, message);
}

/** EXTRA of failures upon which front ends ask for the passphrase. */
const failures: Readonly<Record<string, string>> = {
  'passphrase-missing': ' EOFError',
  'wrong-passphrase': ' GPGError',
};

/** The record that ends a failed run. @param status duplicity's; 0 for what it is content with */
export function machineFailure(status: number, message: string, code = ''): string {
  return record(status === 0 ? 'WARNING 1' : `ERROR ${status}${failures[code] ?? ''}`, message);
}

/** `NOTICE 16`: bytes, seconds so far, percent, seconds left, bytes per second, whether nothing moves. */
export function machineProgress(progress: Progress, pace: Pace): string {
  const { elapsed, percent = 0, secondsLeft = 0, rate = 0 } = pace;
  const whole = [progress.bytesDone, elapsed, percent, secondsLeft, rate].map(value => Math.round(value));
  return record(`NOTICE 16 ${whole.join(' ')} ${pace.rate === 0 ? 1 : 0}`, progressLine(progress, pace));
}

/**
 * What a command prints, in the same form.
 * @param text for people; absent where the items say it all
 */
export function machineResult(text: string | undefined, items: readonly Item[]): string {
  if (items.some(({ type }) => type === 'entry')) return items.map(entryRecord).join('');
  if (text === undefined) return '';
  const isStatus = items.some(({ type }) => type === 'collection');
  return record(isStatus ? `INFO 3 \n${statusFields(items).join('\n')}` : 'NOTICE 1', text.trimEnd());
}

function entryRecord({ path, pathBytes, mtime, kind }: Item): string {
  const bytes = Buffer.from(String(pathBytes ?? path), pathBytes === undefined ? 'utf8' : 'base64');
  const name = bytes.toString('latin1') || '.';
  const time = Number(mtime);
  const head = `INFO 10 ${compactTime(time)} ${quoted(name)} ${typeWords[kind as EntryType]}`;
  return record(head, `${asctime(time)} ${displayPath(name)}`);
}

interface ListedSet {
  readonly kind: string;
  readonly time: number;
  readonly volumes: number;
  readonly isEncrypted: boolean | null;
}

/** Chains with their sets, each on a line of its own; those that can't be continued are numbered. */
function statusFields(items: readonly Item[]): string[] {
  const collection = items.find(({ type }) => type === 'collection')!;
  const lines = [`backend ${collection.target}`, 'archive-dir (. dir)'];
  let others = 0;
  for (const { type, isContinuable, sets } of items) {
    if (type !== 'chain') continue;
    lines.push(isContinuable ? 'chain-complete' : `chain-no-sig ${others++}`);
    for (const { kind, time, volumes, isEncrypted } of sets as readonly ListedSet[]) {
      const sealed = isEncrypted === false ? 'noenc' : 'enc';
      lines.push(` ${kind === 'full' ? 'full' : 'inc'} ${formatTime(time)} ${volumes} ${sealed}`);
    }
  }
  const { orphaned, incomplete } = collection;
  return [...lines, `orphaned-sets-num ${orphaned}`, `incomplete-sets-num ${incomplete}`];
}

function record(head: string, text: string): string {
  const lines = text.split('\n').map(line => `. ${line}\n`);
  return `${head}\n${lines.join('')}\n`;
}

/** In single quotes as Python escapes text; @param path bytes as a latin1 string, which may be UTF-8 */
function quoted(path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  const isText = Buffer.from(text, 'utf8').equals(bytes);
  return `'${[...(isText ? text : path)].map(escaped).join('')}'`;
}

function escaped(character: string): string {
  const named = { '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r', "'": '\\x27' }[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0)!;
  if (code >= 0x20 && code < 0x7f) return character;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
