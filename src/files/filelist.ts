/** Lists of patterns that `--include-filelist` and `--exclude-filelist` name. */

import { pathOf } from '../bytes.ts';
import { strip, textOf } from './path-text.ts';

export interface FilelistLine {
  readonly include: boolean;
  /** Characters as path-text.ts says. */
  readonly pattern: string;
}

/**
 * Lines end in LF, CR or CRLF, or in NUL. Space at both ends of a line and lines that are empty or begin with `#` do
 * not count. `+ ` in front makes an include, `- ` an exclude. Quotes around the pattern are taken off and keep space
 * at its ends.
 * @param include what lines without a sign are
 */
export function parseFilelist(
  bytes: Uint8Array,
  { include, nullSeparated }: { readonly include: boolean; readonly nullSeparated: boolean },
): FilelistLine[] {
  const lines: FilelistLine[] = [];
  for (const raw of pathOf(bytes).split(nullSeparated ? '\0' : /\r\n?|\n/)) {
    const line = strip(textOf(raw));
    if (line === '' || line.startsWith('#')) continue;
    const signed = line.startsWith('+ ') || line.startsWith('- ');
    const pattern = unquote(signed ? line.slice(2) : line);
    if (pattern !== '') lines.push({ include: signed ? line.startsWith('+') : include, pattern });
  }
  return lines;
}

function unquote(text: string): string {
  const quote = text[0];
  return (quote === "'" || quote === '"') && text.endsWith(quote) ? text.slice(1, -1) : text;
}
