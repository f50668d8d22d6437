/**
 * How requests get to the service: whose certificates are trusted, and through which proxy they go. What asks a container
 * or the machine for credentials has connections of its own, which know no proxy.
 */

import { Agent } from 'node:https';
import { Readable } from 'node:stream';
import { systemCode } from '../errors.ts';
import { type Trust, trustOf } from './s3-authorities.ts';
import { ProxyError, StalledError } from './s3-errors.ts';
import { isProxy, type Proxies, proxiesOf, type WebProxy } from './s3-proxies.ts';

export interface Route {
  /** For the SDK's HTTP handler, which destroys it. */
  readonly agents: { readonly httpsAgent?: Agent };
  readonly proxies: Proxies | undefined;
}

/** What is needed for it is loaded only where the environment or the profile asks for it. @throws BackupError 'usage' */
export async function routeOf(env: NodeJS.ProcessEnv, timeoutMs: number): Promise<Route> {
  const trust = await trustOf(env);
  const proxies = proxiesOf(env);
  if (trust === undefined && proxies?.secure === undefined) return { agents: {}, proxies };
  const direct = trust ? new TrustingAgent(trust) : new Agent({ keepAlive: true });
  if (proxies?.secure === undefined) return { agents: { httpsAgent: direct }, proxies };
  const { createTunnel } = await import('./s3-tunnel.ts');
  const isDirect: Parameters<typeof createTunnel>[0]['isDirect'] = server =>
    isProxy(server, proxies.plain) || proxies.before(server) === undefined;
  const { secure: proxy } = proxies;
  const failure = (status: number | undefined, cause?: unknown) => {
    if (status !== undefined) return new ProxyError(proxy.place, { status });
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && systemCode(cause) === undefined) return cause; // as of a proxy's own certificate
    return new ProxyError(proxy.place, { reason: systemCode(cause) ?? 'no answer of a proxy', cause });
  };
  const tunnel = createTunnel({ proxy, direct, isDirect, trust, timeoutMs, failure });
  return { agents: { httpsAgent: tunnel as unknown as Agent }, proxies }; // as an agent it serves, though it is of another class
}

class TrustingAgent extends Agent {
  readonly #trust: Trust;

  constructor(trust: Trust) {
    super({ keepAlive: true });
    this.#trust = trust;
  }

  override createConnection(...[options, done]: Parameters<Agent['createConnection']>) {
    const trusting = { ...options, secureContext: this.#trust() };
    return super.createConnection(trusting, done);
  }
}

interface Request {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What we need of the SDK's HTTP handler. */
interface Handler<Sent, Options, Result> {
  handle(request: Sent, options?: Options): Promise<Result>;
}

/**
 * Puts itself in front of `handler.handle`: what goes to a server without TLS is given to its proxy with the whole address,
 * and what the proxy says or does is told apart from what the service does.
 */
export function passByProxies<Sent extends Request, Options, Result extends { response: Answer }>(
  handler: Handler<Sent, Options, Result>,
  proxies: Proxies,
): void {
  const send = handler.handle.bind(handler);
  handler.handle = async (request, options) => {
    const proxy = proxies.before(request);
    if (proxy === undefined) return send(request, options);
    const isTunnel = request.protocol === 'https:';
    try {
      const result = await send(isTunnel ? request : { ...request, ...addressedTo(proxy, request) }, options);
      if (!isTunnel && isOfProxy(result.response)) {
        if (result.response.body instanceof Readable) result.response.body.destroy();
        throw new ProxyError(proxy.place, { status: result.response.statusCode });
      }
      return result;
    } catch (error) {
      const reason = systemCode(error) ?? (isTimeout(error) ? 'no answer' : undefined);
      if (error instanceof ProxyError || reason === undefined) throw error;
      throw new ProxyError(proxy.place, { reason, cause: error });
    }
  };
}

function addressedTo({ url, headers }: WebProxy, request: Request) {
  const { host = request.hostname } = request.headers;
  return {
    protocol: url.protocol,
    hostname: url.hostname,
    port: url.port === '' ? undefined : Number(url.port),
    path: `http://${host}${request.path}`,
    headers: { ...request.headers, ...headers },
  };
}

/** Services say what is wrong in XML, proxies in pages. */
function isOfProxy({ statusCode, headers }: Answer): boolean {
  return statusCode === 407 || (statusCode >= 400 && /^text\/html/i.test(headers['content-type'] ?? ''));
}

function isTimeout(error: unknown): boolean {
  return error instanceof StalledError || (error as { name?: unknown } | null)?.name === 'TimeoutError';
}
