/**
 * Byte strings. A path is kept as a latin1 string: one char per byte, lossless for names that are not UTF-8, compact,
 * and `<` on it is byte order. The root of a tree is the empty path; components are joined by `/`, with none in front.
 */

/** Raw bytes of a path or name, as the system wants them. */
export function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** A path or name from raw bytes. */
export function pathOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The same string. One that was cut out of a text keeps all of that text in memory; this one does not. */
export function standalone(bytes: string): string {
  return pathOf(bytesOf(bytes));
}

/** A path from text that a person typed (UTF-8); a lone surrogate of `textFromPath` becomes its byte again. */
export function pathFromText(text: string): string {
  const pieces = text.split(/([\udc80-\udcff])/u); // which matches no half of a pair
  const pathOfPiece = (piece: string, index: number) =>
    index % 2 === 1
      ? String.fromCharCode(piece.charCodeAt(0) - SURROGATES)
      : Buffer.from(piece, 'utf8').toString('latin1');
  return pieces.map(pathOfPiece).join('');
}

/** Any path as text: each byte that is no UTF-8 as a lone surrogate (U+DC00 + byte), as Python has it. */
export function textFromPath(path: string): string {
  return decodeWithEscapes(path, SURROGATES);
}

const SURROGATES = 0xdc00;

// One well-formed UTF-8 sequence per match; what is between matches is escaped byte by byte.
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes are what is looked for
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff]/g;

/** A path as UTF-8; bytes that are none, or that are one of these escapes, become the characters `escapes` + byte. */
export function decodeWithEscapes(path: string, escapes: number): string {
  return path.replace(SEQUENCES, sequence => {
    try {
      const text = exactUtf8.decode(bytesOf(sequence));
      const code = text.charCodeAt(0);
      if (code < escapes || code > escapes + 0xff) return text;
    } catch {} // not UTF-8 after all (surrogates, overlong)
    return sequence.replace(/./gs, byte => String.fromCharCode(escapes + byte.charCodeAt(0)));
  });
}

const exactUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Order of a sorted depth-first walk: byte order with `/` ranked lowest, so that a directory comes directly before
 * its content (`a` < `a/x` < `a!`).
 * @returns negative, 0 or positive
 * @see FORMAT.md, "Order": index tuples compared component by component
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return (x === SLASH ? -1 : x) - (y === SLASH ? -1 : y);
  }
  return a.length - b.length;
}

const SLASH = 0x2f;

/** Whether `path` is `ancestor` itself or lies below it. The root holds everything. */
export function isWithin(path: string, ancestor: string): boolean {
  return (
    ancestor === '' ||
    (path.startsWith(ancestor) &&
      (path.length === ancestor.length || path.charCodeAt(ancestor.length) === SLASH))
  );
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A path for a person's eyes: UTF-8 where it is valid, `\xhh` for other bytes and for control characters, so that
 * a file name can never forge a line or steer a terminal. The root is `.`.
 */
export function displayPath(path: string): string {
  if (path === '') return '.';
  let text: string;
  try {
    text = utf8.decode(bytesOf(path));
  } catch {
    text = path.replace(/[\x80-\xff]/g, hexEscape);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, hexEscape);
}

/** Lines of raw bytes for a terminal, which no name among them is to steer. */
export function displayLines(bytes: Uint8Array): string {
  const lines = pathOf(bytes).split('\n');
  return lines.map(line => (line === '' ? '' : displayPath(line))).join('\n');
}

function hexEscape(char: string): string {
  const code = char.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** A path as programs read it in JSON: as text, and where it is not UTF-8 its bytes in Base64 as well. */
export function pathFields(path: string): { path: string; pathBytes?: string } {
  const bytes = bytesOf(path);
  const text = bytes.toString('utf8');
  return bytes.equals(Buffer.from(text, 'utf8'))
    ? { path: text }
    : { path: text, pathBytes: bytes.toString('base64') };
}

/** Gives a buffer of exactly this length, with any content, that nobody else uses. */
export type Allocate = (length: number) => Buffer;
