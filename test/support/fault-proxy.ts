/**
 * A proxy on loopback that does to S3 requests what networks and services do. For each request a script chooses what
 * goes wrong. Request bodies are held whole before anything is passed on (they are parts, so of bounded size), so that
 * a request that is reset on its way has never happened for the server.
 */

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';

export type Fault =
  /** The connection breaks after so many bytes of the request's body; the server sees nothing. */
  | { readonly kind: 'reset-request'; readonly after: number }
  /** The server does its work, then the connection breaks after so many bytes of the answer's body (-1: before it). */
  | { readonly kind: 'reset-response'; readonly after: number }
  /** The answer stops after so many bytes, and the connection stays open. */
  | { readonly kind: 'stall-response'; readonly after: number }
  /** No answer, and the server sees nothing. */
  | { readonly kind: 'hang' }
  /** The answer ends well after so many bytes, and says that this is all. */
  | { readonly kind: 'truncate-response'; readonly after: number }
  /** The answer comes in chunks and does not tell its size; nor the place of a range if that is to be dropped too. */
  | { readonly kind: 'unsized'; readonly placeless?: boolean }
  /** One bit of the request's body is flipped. */
  | { readonly kind: 'flip-request' }
  /** One bit of the answer's body is flipped; with the checksum of the true one if wanted. */
  | { readonly kind: 'flip-response'; readonly checksum?: boolean }
  /** An answer of the proxy's own; the server sees nothing. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string | Uint8Array;
    }
  /** The server does its work, then this error stands in the body of an answer 200. */
  | { readonly kind: 'error-in-200'; readonly code: string; readonly lost?: boolean }
  /** The last answer to the same question, if there was one: a list that lags. */
  | { readonly kind: 'stale' };

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly index: number;
  /** Where the connection comes from; another one, another port. */
  readonly port: number | undefined;
  /** Bytes of the body that have arrived. */
  received: number;
}

export interface FaultProxy {
  readonly url: string;
  /** Every request that came, in order. */
  readonly seen: readonly Seen[];
  close(): Promise<void>;
}

/** An S3 error as services answer it. */
export function s3Error(
  status: number,
  code: string,
  headers: Record<string, string> = {},
  message = 'as scripted',
): Fault {
  return {
    kind: 'answer',
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  };
}

/**
 * @param upstream port on 127.0.0.1
 * @param choose what goes wrong with a request; undefined for nothing
 * @param latencyMs added to every request
 */
export async function startFaultProxy(
  upstream: number,
  choose: (seen: Seen) => Fault | undefined,
  latencyMs = 0,
): Promise<FaultProxy> {
  const seen: Seen[] = [];
  const lastAnswers = new Map<string, Answer>();

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming;
    const note: Seen = {
      method,
      url,
      headers,
      index: seen.length,
      port: incoming.socket.remotePort,
      received: 0,
    };
    seen.push(note);
    incoming.on('data', (chunk: Buffer) => {
      note.received += chunk.length;
    });
    const fault = choose(note);
    if (fault?.kind === 'hang') {
      incoming.resume();
      return;
    }
    const body = await readBody(incoming, fault?.kind === 'reset-request' ? fault.after : undefined);
    if (body === undefined) {
      incoming.socket.destroy();
      return;
    }
    if (latencyMs > 0) await delay(latencyMs);
    if (fault?.kind === 'answer') {
      outgoing.writeHead(fault.status, fault.headers);
      outgoing.end(fault.body ?? '');
      return;
    }
    const question = `${method} ${url}`;
    const stale = fault?.kind === 'stale' ? lastAnswers.get(question) : undefined;
    if (stale) {
      outgoing.writeHead(stale.status, stale.headers);
      outgoing.end(stale.body);
      return;
    }
    if (fault?.kind === 'flip-request') flip(body);
    if (fault?.kind === 'error-in-200' && !fault.lost) {
      sendErrorIn200(outgoing, fault.code);
      return;
    }
    await forward(note, body, outgoing, fault, answer => lastAnswers.set(question, answer));
  }

  function forward(
    { method, url, headers }: Seen,
    body: Buffer,
    outgoing: ServerResponse,
    fault: Fault | undefined,
    remember: (answer: Answer) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const passed = request({ host: '127.0.0.1', port: upstream, method, path: url, headers }, answer => {
        const { statusCode: status = 500, headers: answerHeaders } = answer;
        if (fault === undefined && !/list-type=/.test(url)) {
          outgoing.writeHead(status, answerHeaders);
          answer.pipe(outgoing);
          outgoing.once('close', () => {
            answer.destroy();
            resolve();
          });
          return;
        }
        readBody(answer).then(whole => {
          const content = whole ?? Buffer.alloc(0);
          const kept = { status, headers: answerHeaders, body: content };
          if (/list-type=/.test(url)) remember(kept);
          spoil(outgoing, kept, fault);
          resolve();
        }, reject);
      });
      passed.on('error', reject);
      passed.end(body);
    });
  }

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

function spoil(outgoing: ServerResponse, { status, headers, body }: Answer, fault: Fault | undefined): void {
  switch (fault?.kind) {
    case 'reset-response':
    case 'stall-response': {
      if (fault.after < 0) {
        outgoing.destroy();
        return;
      }
      outgoing.writeHead(status, { ...headers, 'content-length': String(body.length) });
      outgoing.flushHeaders();
      const part = body.subarray(0, Math.min(fault.after, body.length - 1));
      outgoing.write(part, () => {
        // Let what was written leave before the connection breaks.
        if (fault.kind === 'reset-response') setTimeout(() => outgoing.destroy(), 5);
      });
      return;
    }
    case 'truncate-response': {
      const part = body.subarray(0, Math.min(fault.after, Math.max(0, body.length - 1)));
      outgoing.writeHead(status, { ...headers, 'content-length': String(part.length) });
      outgoing.end(part);
      return;
    }
    case 'unsized': {
      const { 'content-length': _, 'content-range': range, ...rest } = headers;
      const place = range === undefined || fault.placeless ? {} : { 'content-range': range };
      outgoing.writeHead(status, { ...rest, ...place });
      outgoing.end(body);
      return;
    }
    case 'flip-response': {
      const checksum = Buffer.alloc(4);
      checksum.writeUInt32BE(crc32(body));
      if (body.length > 0) flip(body);
      const declared = fault.checksum ? { 'x-amz-checksum-crc32': checksum.toString('base64') } : {};
      outgoing.writeHead(status, { ...headers, ...declared });
      outgoing.end(body);
      return;
    }
    case 'error-in-200':
      sendErrorIn200(outgoing, fault.code);
      return;
    default:
      outgoing.writeHead(status, headers);
      outgoing.end(body);
  }
}

function sendErrorIn200(outgoing: ServerResponse, code: string): void {
  outgoing.writeHead(200, { 'content-type': 'application/xml' });
  outgoing.end(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>late</Message></Error>`,
  );
}

/** A whole body; undefined if it is to break after so many bytes. */
async function readBody(message: IncomingMessage, breakAfter?: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message) {
    chunks.push(chunk);
    size += chunk.length;
    if (breakAfter !== undefined && size >= breakAfter) return undefined;
  }
  return breakAfter === undefined ? Buffer.concat(chunks) : undefined;
}

function flip(body: Buffer): void {
  const at = body.length >> 1;
  if (body.length > 0) body[at] = body[at]! ^ 0x10;
}

/** A repeatable sequence of numbers from 0 up to 1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Faults of all kinds that time and another attempt heal, for a share of the requests. */
export function randomFaults(seed: number, rate: number): (seen: Seen) => Fault | undefined {
  const random = seededRandom(seed);
  const pick = <T>(...choices: T[]): T => choices[Math.floor(random() * choices.length)]!;
  return ({ method, url, headers }) => {
    if (random() >= rate) return undefined;
    const after = Math.floor(random() * 300_000);
    const anywhere: Fault[] = [
      s3Error(500, 'InternalError'),
      s3Error(503, 'SlowDown', { 'retry-after': '1' }),
      { kind: 'reset-request', after: 0 },
      { kind: 'reset-response', after: -1 },
      { kind: 'hang' },
    ];
    if (method === 'PUT')
      return pick<Fault>(...anywhere, { kind: 'reset-request', after }, { kind: 'flip-request' });
    if (method === 'POST') return pick<Fault>(...anywhere, { kind: 'error-in-200', code: 'InternalError' });
    if (method === 'GET' && /list-type=/.test(url)) return pick<Fault>(...anywhere, { kind: 'stale' });
    if (method === 'GET') {
      return pick<Fault>(
        ...anywhere,
        { kind: 'reset-response', after },
        { kind: 'stall-response', after },
        // A whole answer that ends well too early is noticed by what the archive says of it, not by the storage.
        ...(headers.range === undefined ? [] : [{ kind: 'truncate-response', after } as const]),
      );
    }
    return pick(...anywhere);
  };
}
