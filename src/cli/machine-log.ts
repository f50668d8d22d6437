/**
 * The log that programs written for duplicity read (`--log-fd`): `KEYWORD CODE EXTRA`, the text with `. ` before each
 * line, an empty line. Where we have no event of the kind the code is 1, which means nothing in particular.
 */

import type { Report } from '../report.ts';

/** Codes of warnings that have one; EXTRA is the path. */
const warnings: Readonly<Record<string, number>> = {
  'source-unreadable': 10,
  'source-changed': 12,
  'signatures-without-backup': 4,
  'set-unfinished': 5,
};

export function machineRecord({ level, code, message, facts }: Report): string {
  const number = level === 'warning' ? (warnings[code] ?? 1) : 1;
  const path = number === 1 ? undefined : facts?.path;
  const extra = path === undefined ? '' : ` ${quoted(String(path))}`;
  return `${level.toUpperCase()} ${number}${extra}\n${textLines(message)}\n`;
}

/** The record that ends a failed run. @param status duplicity's; 0 for what it is content with */
export function machineFailure(status: number, message: string): string {
  return `${status === 0 ? 'WARNING 1' : `ERROR ${status}`}\n${textLines(message)}\n`;
}

function textLines(text: string): string {
  return text
    .split('\n')
    .map(line => `. ${line}\n`)
    .join('');
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
