/** Reads a delta as commands, however it is cut into chunks; checks all that can be checked without the basis. */

import { BackupError } from '../errors.ts';
import { COPY, DELTA_MAGIC, END, LITERAL, RESERVED, SHORT_LITERAL } from './delta-format.ts';

/** What a delta says, in the order of the new file's bytes. */
export interface DeltaSink {
  /**
   * The next bytes of the new file; a literal comes in as many pieces as the chunks make of it.
   * @param bytes at least one; lent until the call returns
   * @param offset where these bytes stand in the delta
   */
  literal(bytes: Uint8Array, offset: number): void;
  /** The next `length` bytes (at least 1) of the new file are those at `position` of the basis. */
  copy(position: number, length: number): void;
}

export interface DeltaReader {
  /**
   * Takes the next bytes of the delta; lent. Those behind END are ignored.
   * @throws BackupError 'damaged'; then the reader is of no more use
   */
  push(chunk: Uint8Array): void;
  /** @throws BackupError 'damaged' when the delta is not complete */
  end(): void;
}

type Expecting = 'magic' | 'opcode' | 'operand' | 'literal' | 'nothing';

export function createDeltaReader(sink: DeltaSink): DeltaReader {
  let expecting: Expecting = 'magic';
  let offset = 0; // of the chunk, in the delta
  let number = 0; // the one that is being read, of which
  let bytesLeft = 4; // so many bytes are to come
  let position = 0; // of the copy whose length is being read, or
  let lengthWidth = 0; // how wide that length will be; 0 when this operand is a length itself
  let isCopy = false;
  let literalLeft = 0;

  function push(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length && expecting !== 'nothing'; ) {
      if (expecting === 'literal') {
        const take = Math.min(literalLeft, chunk.length - i);
        sink.literal(chunk.subarray(i, i + take), offset + i);
        i += take;
        literalLeft -= take;
        if (literalLeft === 0) expecting = 'opcode';
      } else if (expecting === 'opcode') {
        takeOpcode(chunk[i++]!);
      } else {
        number = number * 256 + chunk[i++]!;
        if (--bytesLeft === 0) takeNumber();
      }
    }
    offset += chunk.length;
  }

  function takeOpcode(opcode: number): void {
    if (opcode === END) {
      expecting = 'nothing';
    } else if (opcode <= SHORT_LITERAL) {
      beginLiteral(opcode);
    } else if (opcode < COPY) {
      isCopy = false;
      lengthWidth = 0;
      expectNumber(1 << (opcode - LITERAL));
    } else if (opcode < RESERVED) {
      isCopy = true;
      lengthWidth = 1 << ((opcode - COPY) & 3);
      expectNumber(1 << ((opcode - COPY) >> 2));
    } else {
      throw damaged(`holds an unknown command (${opcode})`);
    }
  }

  function expectNumber(bytes: number): void {
    expecting = 'operand';
    number = 0;
    bytesLeft = bytes;
  }

  function takeNumber(): void {
    if (number > Number.MAX_SAFE_INTEGER) throw damaged('holds a number beyond all files');
    if (expecting === 'magic') {
      if (number !== DELTA_MAGIC) throw damaged('does not begin with the magic number of deltas');
      expecting = 'opcode';
    } else if (!isCopy) {
      beginLiteral(number);
    } else if (lengthWidth > 0) {
      position = number;
      expectNumber(lengthWidth);
      lengthWidth = 0;
    } else {
      if (number === 0) throw damaged('copies nothing');
      if (position + number > Number.MAX_SAFE_INTEGER) throw damaged('copies from beyond all files');
      expecting = 'opcode';
      sink.copy(position, number);
    }
  }

  function beginLiteral(length: number): void {
    if (length === 0) throw damaged('holds a literal without bytes');
    literalLeft = length;
    expecting = 'literal';
  }

  function end(): void {
    if (expecting !== 'nothing') throw damaged('ends before its end command');
  }

  return { push, end };
}

/** A 'damaged' error about a delta: "The delta of a file …". */
export function damaged(what: string): BackupError {
  return new BackupError('damaged', `The delta of a file ${what}.`);
}
