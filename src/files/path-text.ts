/**
 * Paths as the characters that selection patterns speak of: UTF-8 where a name is UTF-8; a byte that is not becomes a
 * lone low surrogate, U+DC00 + byte, so that it counts as one character and equals only itself.
 */

const beyondAscii = /[\x80-\xff]/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A path (latin1 string, one char a byte) as characters. */
export function textOf(path: string): string {
  if (!beyondAscii.test(path)) return path;
  const bytes = Buffer.from(path, 'latin1');
  try {
    return utf8.decode(bytes);
  } catch {
    return decodeLoosely(bytes);
  }
}

function decodeLoosely(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at]!);
    const sequence = length && decodeSequence(bytes.subarray(at, at + length));
    text += sequence || String.fromCharCode(0xdc00 + bytes[at]!);
    at += sequence ? length : 1;
  }
  return text;
}

/** Bytes of the character that such a byte can begin; 0 if none does. */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

function decodeSequence(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes (latin1 string) of characters: what textOf() was given. */
export function pathOfText(text: string): string {
  return text.replace(/[^\0-\x7f]+/gu, chars =>
    chars
      .split(/([\udc80-\udcff])/u)
      .map((part, index) =>
        index % 2
          ? String.fromCharCode(part.charCodeAt(0) & 0xff)
          : Buffer.from(part, 'utf8').toString('latin1'),
      )
      .join(''),
  );
}

/** White space as Python's str.strip() and `\s` know it, for use inside a character class. */
export const spaces = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const edgeSpaces = new RegExp(`^[${spaces}]+|[${spaces}]+$`, 'g');

export function strip(text: string): string {
  return text.replace(edgeSpaces, '');
}
