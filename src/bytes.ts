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

/** A path from text that a person typed (UTF-8). */
export function pathFromText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

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
