/**
 * Commands of a delta: magic number, then literals (with their bytes) and copies from the basis, then END.
 * @see FORMAT.md, "Delta"
 */

export const DELTA_MAGIC = 0x72730236;

export const END = 0x00;
/** Opcodes 1 to 64 are literals of that length. */
export const SHORT_LITERAL = 64;
/** Literals whose length follows in 1, 2, 4 or 8 bytes: four opcodes from here on. */
export const LITERAL = 0x41;
/** Copies whose position and length follow in 1, 2, 4 or 8 bytes each: sixteen opcodes, position's width first. */
export const COPY = 0x45;
/** First opcode without a meaning. */
export const RESERVED = 0x55;

/** Longest opcode with operands. */
export const MAX_COMMAND = 17;

/**
 * Writes the command before a literal's bytes, in its shortest form.
 * @param target given up to MAX_COMMAND bytes at `at`
 * @returns the offset behind
 */
export function encodeLiteral(target: Uint8Array, at: number, length: number): number {
  if (length <= SHORT_LITERAL) {
    target[at] = length;
    return at + 1;
  }
  const width = widthOf(length);
  target[at] = LITERAL + width;
  return encodeOperand(target, at + 1, length, 1 << width);
}

/** Writes a copy of `length` bytes from `position` of the basis; see encodeLiteral. */
export function encodeCopy(target: Uint8Array, at: number, position: number, length: number): number {
  const positionWidth = widthOf(position);
  const lengthWidth = widthOf(length);
  target[at] = COPY + 4 * positionWidth + lengthWidth;
  return encodeOperand(
    target,
    encodeOperand(target, at + 1, position, 1 << positionWidth),
    length,
    1 << lengthWidth,
  );
}

/** Smallest operand that holds a number: 0, 1, 2, 3 for 1, 2, 4, 8 bytes. */
function widthOf(value: number): number {
  return value < 2 ** 8 ? 0 : value < 2 ** 16 ? 1 : value < 2 ** 32 ? 2 : 3;
}

function encodeOperand(target: Uint8Array, at: number, value: number, bytes: number): number {
  for (let i = at + bytes - 1, rest = value; i >= at; i--) {
    target[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + bytes;
}
