/**
 * Puts proxies before the SDK's HTTP handler. What asks a container or the machine for credentials has connections of its
 * own, which know no proxy.
 */

import { Readable } from 'node:stream';
import { systemCode } from '../errors.ts';
import { type Proxies, ProxyError, type WebProxy } from '../network/proxies.ts';
import { StalledError } from './s3-errors.ts';

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
