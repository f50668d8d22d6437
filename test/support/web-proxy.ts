/**
 * A proxy as companies have them, on loopback: it takes whole addresses and CONNECT, asks for a name and password if
 * it is told to, and knows hosts that no other does (`*.test` is this machine). And a server with TLS before another one.
 */

import { createServer, type IncomingMessage, request } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Made } from './certificates.ts';
import type { Scope } from './temp-dir.ts';

export interface WebProxy {
  /** `127.0.0.1:port` */
  readonly place: string;
  /** What it was asked for: `CONNECT host:port`, or a method and a whole address; `407` before what it refused. */
  readonly asked: string[];
}

export interface WebProxyOptions {
  /** `name:password` that it wants. */
  readonly login?: string;
  /** What it does instead of its work. */
  readonly instead?: (incoming: IncomingMessage, socket: Socket) => void;
}

/** Ends with the test. */
export async function startWebProxy(t: Scope, { login, instead }: WebProxyOptions = {}): Promise<WebProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const expected = login && `Basic ${Buffer.from(login).toString('base64')}`;
  const isRefused = ({ headers }: IncomingMessage) =>
    expected !== undefined && headers['proxy-authorization'] !== expected;
  const hostOf = (name: string) => (name.endsWith('.test') ? '127.0.0.1' : name);

  const server = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming;
    asked.push(`${isRefused(incoming) ? '407 ' : ''}${method} ${url}`);
    if (instead) return instead(incoming, incoming.socket);
    if (isRefused(incoming)) {
      outgoing.writeHead(407, { 'content-type': 'text/html', 'proxy-authenticate': 'Basic realm="x"' });
      outgoing.end('<html>Who are you?</html>');
      return;
    }
    const { hostname, port, pathname, search } = new URL(url);
    const { 'proxy-authorization': _, ...passed } = headers;
    const path = url.slice(url.indexOf('/', 'http://'.length)); // as it came: URL would change dots in it
    const on = request({ host: hostOf(hostname), port, method, path, headers: passed }, answer => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    on.on('error', () => {
      outgoing.writeHead(503, { 'content-type': 'text/html' });
      outgoing.end(`<html>${pathname}${search} is away</html>`);
    });
    incoming.pipe(on);
  });
  server.on('connection', socket => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    asked.push(`${isRefused(incoming) ? '407 ' : ''}CONNECT ${incoming.url}`);
    if (instead) return instead(incoming, socket);
    const page = '<html>no</html>';
    const refuse = (status: string) =>
      socket.end(
        `HTTP/1.1 ${status}\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
      );
    if (isRefused(incoming)) return refuse('407 Proxy Authentication Required');
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(incoming.url ?? '') ?? [];
    const on = connect(Number(port), hostOf(host));
    on.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(on).pipe(socket);
    });
    on.on('error', () => refuse('503 Service Unavailable'));
    socket.on('close', () => on.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { place: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** TLS on a port of its own before a server without it. @returns the port */
export async function startTlsBefore(t: Scope, upstream: number, made: Made): Promise<number> {
  const server = createSecureServer(made, (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const on = request({ host: '127.0.0.1', port: upstream, method, path: url, headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    on.on('error', () => outgoing.destroy());
    incoming.pipe(on);
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}
