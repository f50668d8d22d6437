/**
 * Records from one thread to another through memory that both have: no message, no copy but the one into the ring. The
 * reader may sleep in it; the writer waits without holding up its event loop, or, where it can't, in its place.
 */

/** Of one record. */
export const LARGEST_RECORD = 256 * 1024;
const CAPACITY = 8 * LARGEST_RECORD;
const HEADER = 8;
/** Fills the end of the ring where the next record does not fit. */
const FILLER = -1;

/** Places in the control words. Positions count bytes and wrap at 2³². */
const WRITTEN = 0;
const READ = 1;
/** Not 0 while the writer waits for room: how much would do. */
const WANTED = 2;
const ENDED = 3;
const CONTROLS = 4;

/** What both threads hold. */
export interface RingMemory {
  readonly control: Int32Array;
  readonly data: Uint8Array;
}

/** @param capacity bytes, a power of two; no record may be larger than half of it, and for `whenRoom` than an eighth */
export function createRingMemory(capacity = CAPACITY): RingMemory {
  return {
    control: new Int32Array(new SharedArrayBuffer(CONTROLS * 4)),
    data: new Uint8Array(new SharedArrayBuffer(capacity)),
  };
}

export interface RingWriter {
  /**
   * Appends a record; waits for room if need be.
   * @param type 0 or more
   * @param length of its bytes, up to LARGEST_RECORD
   * @param fill writes them; they begin at a multiple of 8
   * @param isUrgent whether a reader that sleeps must hear of it; else it may be woken by what comes after
   * @throws Error if the reader has ended
   */
  push(type: number, length: number, fill?: (bytes: Uint8Array) => void, isUrgent?: boolean): void;
  /**
   * Like a push that is not urgent, but bytes of one type that follow each other share records, which the reader sees
   * when they are full, something else is pushed, or room is waited for.
   */
  append(type: number, length: number, fill: (bytes: Uint8Array) => void): void;
  /** The reader hears of all records so far. */
  flush(): void;
  /** Undefined if there is room for a record and a few little ones; else a promise of more. */
  whenRoom(): Promise<void> | undefined;
}

export interface RingReader {
  /** The oldest record, which stays until `release`; undefined if there is none. */
  peek(): { readonly type: number; readonly bytes: Uint8Array } | undefined;
  release(): void;
  /** Sleeps until there is a record; or for so long, if it is told. */
  wait(ms?: number): void;
  /** Nothing will be read any more: whoever waits for room is told. */
  end(): void;
}

/** Bytes that are free. */
function roomIn({ control, data }: RingMemory): number {
  return data.length - ((Atomics.load(control, WRITTEN) - Atomics.load(control, READ)) >>> 0);
}

const padded = (length: number) => (length + 7) & ~7;

export function createRingWriter(ring: RingMemory): RingWriter {
  const { control, data } = ring;
  const capacity = data.length;
  /** Room for a record and a few little ones. */
  const worthWriting = (3 * capacity) / 8;
  /** For so much a writer waits that lacks it: more, for else it would wait for each record. */
  const worthWaiting = capacity / 2;
  /** To wake the reader takes longer than most records: not before so much is there to read. */
  const worthWaking = capacity / 4;
  const headers = new Int32Array(data.buffer);
  const hasEnded = () => Atomics.load(control, ENDED) === 1;
  let untold = 0;
  const advance = (bytes: number, isUrgent: boolean) => {
    Atomics.add(control, WRITTEN, bytes);
    untold += bytes;
    if (!isUrgent && untold < worthWaking) return;
    untold = 0;
    Atomics.notify(control, WRITTEN);
  };
  /** @returns what to wait for on READ, if there is not enough room */
  const lacking = (wanted: number): number | undefined => {
    const read = Atomics.load(control, READ);
    Atomics.store(control, WANTED, wanted);
    if (roomIn(ring) < wanted && !hasEnded()) {
      advance(0, true); // the reader may sleep
      return read;
    }
    Atomics.store(control, WANTED, 0);
    return undefined;
  };
  /** Blocks; only where nobody kept to `whenRoom`. */
  const waitFor = (bytes: number) => {
    for (let read = lacking(bytes); read !== undefined; read = lacking(bytes))
      Atomics.wait(control, READ, read, 100);
    if (hasEnded()) throw new Error('the other thread has ended');
  };
  const waitAsync = async () => {
    for (let read = lacking(worthWaiting); read !== undefined; read = lacking(worthWaiting))
      await Atomics.waitAsync(control, READ, read).value;
  };
  const writeHeader = (at: number, length: number, type: number) => {
    headers[at >> 2] = length;
    headers[(at >> 2) + 1] = type;
  };
  /** Makes room for a record. @returns where it begins */
  const begin = (length: number): number => {
    const size = HEADER + padded(length);
    const at = Atomics.load(control, WRITTEN) & (capacity - 1);
    const left = capacity - at;
    const needed = left < size ? left + size : size;
    if (roomIn(ring) < needed || hasEnded()) waitFor(needed);
    if (left >= size) return at;
    writeHeader(at, left - HEADER, FILLER);
    advance(left, false);
    return 0;
  };
  /** The record that grows, of which the reader does not know yet. */
  let open: { readonly at: number; readonly type: number; length: number } | undefined;
  const openSize = () => (open ? HEADER + padded(open.length) : 0);
  const close = () => {
    if (!open) return;
    writeHeader(open.at, open.length, open.type);
    advance(openSize(), false);
    open = undefined;
  };
  const canGrow = (type: number, length: number): boolean => {
    if (open?.type !== type || open.length + length > LARGEST_RECORD) return false;
    const size = HEADER + padded(open.length + length);
    return open.at + size <= capacity && roomIn(ring) >= size;
  };
  return {
    push(type, length, fill, isUrgent = true) {
      close();
      const at = begin(length);
      writeHeader(at, length, type);
      fill?.(data.subarray(at + HEADER, at + HEADER + length));
      advance(HEADER + padded(length), isUrgent);
    },
    append(type, length, fill) {
      if (!canGrow(type, length)) {
        close();
        open = { at: begin(length), type, length: 0 };
      }
      const from = open!.at + HEADER + open!.length;
      fill(data.subarray(from, from + length));
      open!.length += length;
    },
    flush() {
      close();
      advance(0, true);
    },
    whenRoom() {
      if (roomIn(ring) - openSize() >= worthWriting || hasEnded()) return undefined;
      close();
      return waitAsync();
    },
  };
}

export function createRingReader(ring: RingMemory): RingReader {
  const { control, data } = ring;
  const headers = new Int32Array(data.buffer);
  const advance = (length: number) => {
    Atomics.add(control, READ, HEADER + padded(length));
    const wanted = Atomics.load(control, WANTED);
    if (wanted > 0 && roomIn(ring) >= wanted) Atomics.notify(control, READ);
  };
  let length = 0;
  return {
    peek() {
      for (;;) {
        const read = Atomics.load(control, READ);
        if (read === Atomics.load(control, WRITTEN)) return undefined;
        const at = read & (data.length - 1);
        length = headers[at >> 2]!;
        const type = headers[(at >> 2) + 1]!;
        if (type !== FILLER) return { type, bytes: data.subarray(at + HEADER, at + HEADER + length) };
        advance(length);
      }
    },
    release: () => advance(length),
    wait(ms) {
      const written = Atomics.load(control, WRITTEN);
      if (written === Atomics.load(control, READ)) Atomics.wait(control, WRITTEN, written, ms);
    },
    end() {
      Atomics.store(control, ENDED, 1);
      Atomics.notify(control, READ);
    },
  };
}
