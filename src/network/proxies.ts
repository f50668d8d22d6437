/**
 * Which proxy stands before a server, as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say it; written small they count first,
 * as with the tools of Amazon and the real duplicity. What they say is read when a server needs it: a variable that is
 * meant for other programs does no harm.
 */

import { BlockList, isIP } from 'node:net';
import { BackupError } from '../errors.ts';
import { takeLogin } from '../text.ts';

export interface WebProxy {
  /** Without name and password. */
  readonly url: URL;
  /** `host:port`, for people. */
  readonly place: string;
  /** The header that says who asks, where the variable has a name and a password. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Server {
  /** `http:` or `https:` */
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
}

export interface Proxies {
  /** @throws BackupError 'usage' where the variable names no proxy that can be used */
  before(server: Server): WebProxy | undefined;
  /** What stands before servers with TLS, and before those without, unless they are excepted. */
  readonly secure: WebProxy | undefined;
  readonly plain: WebProxy | undefined;
}

/** The proxy before a server answered with `status` in its place, or it did not answer. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly status: number | undefined;
  readonly place: string;
  readonly code: string;

  /** @param place of the proxy, `host:port` */
  constructor(
    place: string,
    { status, reason, cause }: { status?: number | undefined; reason?: string; cause?: unknown },
  ) {
    super('the proxy is in the way', { cause });
    this.place = place;
    this.status = status;
    this.code = reason ?? `HTTP ${status} of the proxy`;
  }
}

/** @returns undefined where the environment names none */
export function proxiesOf(env: NodeJS.ProcessEnv): Proxies | undefined {
  const said = (name: string) => (env[name.toLowerCase()] ?? env[name] ?? '').trim();
  const values = { 'https:': said('HTTPS_PROXY'), 'http:': said('HTTP_PROXY') };
  if (values['https:'] === '' && values['http:'] === '') return undefined;
  const exceptions = said('NO_PROXY')
    .toLowerCase()
    .split(/[\s,]+/);
  const found = { 'https:': proxyIn(values['https:']), 'http:': proxyIn(values['http:']) };
  return {
    secure: found['https:'],
    plain: found['http:'],
    before(server) {
      const protocol = server.protocol === 'https:' ? 'https:' : 'http:';
      if (values[protocol] === '' || exceptions.some(exception => isMeant(exception, server)))
        return undefined;
      const proxy = found[protocol];
      if (proxy !== undefined) return proxy;
      const name = protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
      const message = `${name} names no proxy that can be used. Write http://host:port there, or except the server in NO_PROXY.`;
      throw new BackupError('usage', message); // it may hold a password, so it is not repeated
    },
  };
}

function proxyIn(text: string): WebProxy | undefined {
  const full = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  if (!/^https?:$/.test(url.protocol) || url.hostname === '') return undefined;
  const login = takeLogin(url);
  const { host } = url;
  return {
    url,
    place: url.port === '' ? `${host}:${portOf(url)}` : host,
    headers: login === undefined ? {} : { 'Proxy-Authorization': login },
  };
}

/** The port that is meant where none is written. */
function portOf({ protocol, port }: { protocol: string; port?: string | number | undefined }): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/** A host's name or address as it is compared. */
const bareHost = (hostname: string) => hostname.toLowerCase().replace(/^\[|\]$|\.$/g, '');

export function isProxy(server: Server, proxy: WebProxy | undefined): boolean {
  const { url } = proxy ?? {};
  return (
    url !== undefined &&
    bareHost(server.hostname) === bareHost(url.hostname) &&
    portOf(server) === portOf(url)
  );
}

/** Whether an entry of NO_PROXY means a server: a name with all below it, an address, a network, or all; with port. */
function isMeant(entry: string, server: Server): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  const host = bareHost(server.hostname);
  const [, network, bits] = /^([\da-f.:]+)\/(\d+)$/.exec(entry) ?? [];
  if (network !== undefined) return isIP(host) > 0 && isWithin(host, network, Number(bits));
  const [, inBrackets, name, port] = /^(?:\[([\da-f.:]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  if (port !== undefined && Number(port) !== portOf(server)) return false;
  const meant = (inBrackets ?? name ?? entry).replace(/^\*?\.|\.$/g, ''); // `entry`: an IPv6 address as it is
  return host === meant || (isIP(host) === 0 && host.endsWith(`.${meant}`));
}

function isWithin(host: string, network: string, bits: number): boolean {
  const kinds = { 4: 'ipv4', 6: 'ipv6' } as const;
  const kind = isIP(network) as 4 | 6;
  if (isIP(host) !== kind || bits > (kind === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, kinds[kind]);
  return list.check(host, kinds[kind]);
}
