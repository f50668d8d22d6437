/** How requests get to a server: whose certificates are trusted, and through which proxy they go. */

import { Agent } from 'node:https';
import { systemCode } from '../errors.ts';
import { type Trust, trustOf } from './authorities.ts';
import { isProxy, type Proxies, ProxyError, proxiesOf } from './proxies.ts';

export interface Route {
  /** For servers with TLS; whoever has it destroys it. */
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
  const { createTunnel } = await import('./tunnel.ts');
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
