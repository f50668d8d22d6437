/**
 * Between the SDK and the network: request bodies go out in slices, at the pace of the upload limit, and a request or
 * an answer during which nothing moves for the timeout is cut. Slow is not stalled: the time counts from the last byte.
 */

import { Readable } from 'node:stream';
import { StalledError } from './s3-errors.ts';
import { type Throttle, throttled } from './throttle.ts';

/** Large slices take less work. A slow line has small ones, so that something moves within the timeout. */
const FIRST_SLICE = 64 * 1024;
const LARGEST_SLICE = 1024 * 1024;
const QUICK_MS = 50;
/** A timer as late as this tells that the process was stopped or starved: an answer may wait that nobody has read. */
const LATE_MS = 1000;

/** What we need of the SDK's HTTP handler. */
interface Handler<Request, Options, Result> {
  handle(request: Request, options?: Options): Promise<Result>;
}

export interface TransportOptions {
  readonly timeoutMs: number;
  readonly uploads?: Throttle | undefined;
}

/** Puts itself in front of `handler.handle`. */
export function guardTransport<
  Request extends { body?: unknown },
  Options extends { abortSignal?: unknown },
  Result extends { response: { body?: unknown } },
>(handler: Handler<Request, Options, Result>, { timeoutMs, uploads }: TransportOptions): void {
  const send = handler.handle.bind(handler);
  handler.handle = async (request, options) => {
    const outer = options?.abortSignal as AbortSignal | undefined;
    const abort = new AbortController();
    const forward = () => abort.abort(outer?.reason);
    let stalled = false;
    const stall = () => {
      stalled = true;
      abort.abort();
    };
    let timer: NodeJS.Timeout;
    const moved = () => {
      clearTimeout(timer);
      const due = performance.now() + timeoutMs;
      timer = setTimeout(() => {
        if (performance.now() - due > LATE_MS) moved();
        else stall();
      }, timeoutMs);
    };
    moved();
    if (outer?.aborted) forward();
    else outer?.addEventListener('abort', forward, { once: true });
    try {
      const body =
        request.body instanceof Uint8Array && request.body.length > 0
          ? paced(slices(request.body, moved, abort.signal, uploads))
          : request.body;
      const result = await send({ ...request, body }, {
        ...options,
        abortSignal: abort.signal,
      } as Options);
      if (result.response.body instanceof Readable) guardBody(result.response.body, timeoutMs);
      return result;
    } catch (error) {
      if (stalled) throw new StalledError('no byte was exchanged for too long', { cause: error });
      throw error;
    } finally {
      clearTimeout(timer!);
      outer?.removeEventListener('abort', forward);
    }
  };
}

function paced(source: AsyncIterable<Uint8Array>): Readable {
  const body = Readable.from(source, { objectMode: false, highWaterMark: 1 });
  body.on('error', () => {}); // only an abort, of which the request knows by itself
  return body;
}

async function* slices(
  body: Uint8Array,
  moved: () => void,
  signal: AbortSignal,
  throttle?: Throttle,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const slice of throttle ? throttled([body], throttle, signal) : grown(body)) {
    if (signal.aborted) return;
    moved();
    yield slice;
  }
}

/** Slices that grow as long as each is gone at once. */
function* grown(body: Uint8Array): Generator<Uint8Array, void, undefined> {
  let length = FIRST_SLICE;
  for (let offset = 0; offset < body.length; ) {
    const slice = body.subarray(offset, offset + length);
    const begun = performance.now();
    yield slice;
    offset += slice.length;
    const isQuick = performance.now() - begun < QUICK_MS;
    length = isQuick ? Math.min(4 * length, LARGEST_SLICE) : FIRST_SLICE;
  }
}

const TICKS = 4;

/** Destroys a body of which no byte arrives for the timeout while its reader waits for one. */
function guardBody(body: Readable, timeoutMs: number): void {
  const message = body as Readable & { socket?: { bytesRead: number } | null; complete?: boolean };
  const socket = message.socket;
  if (!socket) return;
  let seen = socket.bytesRead;
  let idle = 0;
  const timer = setInterval(() => {
    if (message.complete) clearInterval(timer);
    // What has arrived and waits for a slow reader is no stall.
    const starving = !message.complete && body.readableLength === 0 && socket.bytesRead === seen;
    seen = socket.bytesRead;
    idle = starving ? idle + 1 : 0;
    if (idle >= TICKS) body.destroy(new StalledError('no byte arrived for too long'));
  }, timeoutMs / TICKS);
  timer.unref(); // the socket keeps us alive as long as there is something to wait for
  body.once('close', () => clearInterval(timer));
}
