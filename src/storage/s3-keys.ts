/**
 * Names of objects are bytes, keys are text. A name that is UTF-8 is its own key, as duplicity has it. Bytes that are
 * not become characters of a private area (U+F700 + byte), and so do bytes of those characters themselves, so that
 * every name has one key and its key leads back to it.
 */

import { decodeWithEscapes, pathFromText } from '../bytes.ts';

const ESCAPES = 0xf700;
const isPlain = /^[\x20-\x7e]*$/;
/** @param name bytes as a latin1 string */
export function keyOf(name: string): string {
  return isPlain.test(name) ? name : decodeWithEscapes(name, ESCAPES);
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
