/**
 * Names of objects are bytes, keys are text. A name that is UTF-8 is its own key, as duplicity has it. Bytes that are
 * not become characters of a private area (U+F700 + byte), and so do bytes of those characters themselves, so that
 * every name has one key and its key leads back to it.
 */

import { bytesOf, pathFromText } from '../bytes.ts';

const ESCAPES = 0xf700;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const isPlain = /^[\x20-\x7e]*$/;
// One well-formed UTF-8 sequence per match; what is between matches is escaped byte by byte.
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes are what is looked for
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff]/g;

/** @param name bytes as a latin1 string */
export function keyOf(name: string): string {
  if (isPlain.test(name)) return name;
  return name.replace(SEQUENCES, sequence => {
    try {
      const text = utf8.decode(bytesOf(sequence));
      if (!isEscape(text)) return text;
    } catch {} // not UTF-8 after all (surrogates, overlong)
    return sequence.replace(/./gs, byte => String.fromCharCode(ESCAPES + byte.charCodeAt(0)));
  });
}

/** The name whose key this is, bytes as a latin1 string; undefined for a key that no name has. */
export function nameOf(key: string): string | undefined {
  if (isPlain.test(key)) return key;
  const name = key.replace(/[\uf700-\uf7ff]|[^\uf700-\uf7ff]+/g, piece =>
    isEscape(piece) ? String.fromCharCode(piece.charCodeAt(0) - ESCAPES) : pathFromText(piece),
  );
  return keyOf(name) === key ? name : undefined;
}

function isEscape(text: string): boolean {
  const code = text.charCodeAt(0);
  return code >= ESCAPES && code <= ESCAPES + 0xff;
}
