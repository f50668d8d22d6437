/**
 * TLS through a proxy. The build makes a file of its own of this, with the library for it: few have a proxy, and the
 * first versions of Node.js that we support can't load the library as it is.
 */

import type { ClientRequest } from 'node:http';
import type { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { Trust } from './authorities.ts';
import type { Server, WebProxy } from './proxies.ts';

export interface TunnelOptions {
  readonly proxy: WebProxy;
  /** For servers to which no tunnel leads. */
  readonly direct: Agent;
  isDirect(server: Server): boolean;
  readonly trust: Trust | undefined;
  /** For the proxy to answer. */
  readonly timeoutMs: number;
  /** The error for a proxy that answers with another status than 200, or with no answer. */
  failure(status: number | undefined, cause?: unknown): unknown;
}

/** An agent; whoever has it destroys it. */
export function createTunnel(options: TunnelOptions): HttpsProxyAgent<string> {
  return new Tunnel(options);
}

class Tunnel extends HttpsProxyAgent<string> {
  readonly #options: TunnelOptions;
  /** For connections to the proxy that are no tunnels yet, which nobody else knows: they would hold us to the end. */
  readonly #waiting = new Set<AbortController>();

  constructor(options: TunnelOptions) {
    const { url, headers } = options.proxy;
    super(url, {
      keepAlive: true,
      noDelay: true,
      headers: { ...headers }, // not in the URL, which the library tells whoever debugs it
    });
    this.#options = options;
  }

  /** The library would guess it, another way when it puts a connection aside than when it looks for one. */
  override isSecureEndpoint(): boolean {
    return true;
  }

  override async connect(
    request: ClientRequest,
    options: Parameters<HttpsProxyAgent<string>['connect']>[1],
  ): Promise<Socket> {
    const { direct, isDirect, trust, timeoutMs, failure } = this.#options;
    const server = { protocol: 'https:', hostname: String(options.host), port: Number(options.port) };
    if (isDirect(server)) return direct as unknown as Socket; // the base class takes an agent too
    const trusted = trust === undefined ? {} : { secureContext: trust() };
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    this.#waiting.add(abort);
    let status: number | undefined;
    request.once('proxyConnect', ({ statusCode }: { statusCode: number }) => {
      status = statusCode;
    });
    this.connectOpts = { ...this.connectOpts, ...trusted, signal: abort.signal };
    const socket = await super
      .connect(request, { ...options, ...trusted })
      .catch(error => {
        throw failure(undefined, error);
      })
      .finally(() => {
        clearTimeout(timer);
        this.#waiting.delete(abort);
      });
    if (status !== 200) throw failure(status);
    return socket;
  }

  override destroy(): void {
    super.destroy();
    for (const abort of this.#waiting) abort.abort();
    this.#options.direct.destroy();
  }
}
