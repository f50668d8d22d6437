/** A byte buffer that grows, for records whose total is small but not known before. */
export class Growable {
  private buffer: Buffer;
  length = 0;

  /** @param capacity bytes to begin with, or a buffer that nobody else uses */
  constructor(capacity: number | Buffer) {
    this.buffer = typeof capacity === 'number' ? Buffer.allocUnsafeSlow(capacity) : capacity;
  }

  /** Makes room for `size` more bytes and returns the buffer to write them into, from `length` on. */
  reserve(size: number): Buffer {
    if (this.length + size > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.length + size));
      this.buffer.copy(larger, 0, 0, this.length);
      this.buffer = larger;
    }
    return this.buffer;
  }

  push(bytes: Uint8Array): void {
    this.reserve(bytes.length).set(bytes, this.length);
    this.length += bytes.length;
  }

  /** @param text latin1 */
  pushText(text: string): void {
    this.length += this.reserve(text.length).write(text, this.length, 'latin1');
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.buffer.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** A view, lent until the next push. */
  peek(from: number, length: number): Uint8Array {
    return this.buffer.subarray(from, from + length);
  }

  /** What was pushed, in the buffer itself, which is given away; an empty one takes its place. */
  swap(empty: Buffer): Uint8Array {
    const bytes = this.buffer.subarray(0, this.length);
    this.buffer = empty;
    this.length = 0;
    return bytes;
  }

  /** A copy of what was pushed (given, exactly as long as it is), and the buffer is empty again. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    bytes.set(this.buffer.subarray(0, this.length));
    this.length = 0;
    return bytes;
  }
}
