/**
 * Sends one notice over HTTP, by the proxies and with the certificate authorities that the environment names. A redirection
 * gets the same notice: most programs would ask there with a GET and an empty body, and take the answer for a success.
 */

import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { request as secureRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError, messageOf } from '../errors.ts';
import { ProxyError, type WebProxy } from '../network/proxies.ts';
import { type Route, routeOf } from '../network/route.ts';
import { takeLogin } from '../text.ts';

const TIMEOUT_MS = 15_000;
const ATTEMPTS = 3;
const PAUSE_MS = 1000;
const REDIRECTIONS = 5;

type Headers = Readonly<Record<string, string>>;

/**
 * The address may be a secret itself, so that messages have no more of it than the host.
 * @throws BackupError `notice-failed`
 */
export async function post(url: string, body: string, headers: Headers, signal: AbortSignal): Promise<void> {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new BackupError('notice-failed', 'the URL of a notice is none: it begins with https://');
  }
  const target = new URL(url);
  const { host } = target;
  const failed = (why: string) =>
    new BackupError('notice-failed', `the notice to ${host} could not be sent: ${why}`);
  const authorization = takeLogin(target); // a request does not take it in a URL
  const all = { ...(authorization === undefined ? {} : { authorization }), ...headers };
  const route = await routeOf(process.env, TIMEOUT_MS).catch(error => {
    throw failed(messageOf(error));
  });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  let said = '';
  try {
    for (let attempt = 1; attempt <= ATTEMPTS && !limit.aborted; attempt++) {
      try {
        if (attempt > 1) await sleep(PAUSE_MS, undefined, { signal: limit });
        const { status, text, proxy } = await sendFollowing(target, body, all, route, limit);
        if (status >= 200 && status < 300) return;
        said = `it answered ${text}${proxy === undefined ? '' : `, through the proxy ${proxy.place}`}`;
        if (status < 500 && status !== 429) break;
      } catch (error) {
        const isLate = limit.aborted && !signal.aborted;
        if (isLate && attempt > 1) break; // what was said before is the reason
        said = isLate
          ? `no answer within ${TIMEOUT_MS / 1000} seconds`
          : reasonOf(signal.aborted ? signal.reason : error);
        if (isUnfit(error) || error instanceof BackupError) break;
      }
    }
  } finally {
    route.agents.httpsAgent?.destroy();
  }
  throw failed(said);
}

interface Answer {
  readonly status: number;
  /** Status and its name. */
  readonly text: string;
  readonly location: string | undefined;
  readonly proxy: WebProxy | undefined;
}

async function sendFollowing(
  first: URL,
  body: string,
  headers: Headers,
  route: Route,
  signal: AbortSignal,
): Promise<Answer> {
  let url = first;
  for (let left = REDIRECTIONS; ; left--) {
    // What lets us in there is nobody else's to know, nor to be read on the way.
    const isSame =
      url.hostname === first.hostname && (url.protocol === 'https:' || first.protocol === 'http:');
    const { authorization: _, ...others } = headers;
    const answer = await send(url, body, isSame ? headers : others, route, signal);
    const { status, location } = answer;
    if (status < 300 || status > 399 || left === 0 || location === undefined) return answer;
    if (!URL.canParse(location, url.href)) return answer;
    const next = new URL(location, url.href);
    if (!/^https?:$/.test(next.protocol)) return answer;
    url = next;
  }
}

/** The body of the answer is not waited for. */
function send(url: URL, body: string, headers: Headers, route: Route, signal: AbortSignal): Promise<Answer> {
  const port = url.port === '' ? undefined : Number(url.port);
  const proxy = route.proxies?.before({ protocol: url.protocol, hostname: url.hostname, port });
  const own = { 'user-agent': 'tsbackup', 'content-length': String(Buffer.byteLength(body)), ...headers };
  // A server without TLS is asked of its proxy with the whole address; to one with TLS the agent makes a tunnel.
  const isAsked = proxy !== undefined && url.protocol === 'http:';
  const place = isAsked ? proxy.url : url;
  const options: RequestOptions = isAsked
    ? {
        path: `http://${url.host}${url.pathname}${url.search}`,
        headers: { ...own, host: url.host, ...proxy.headers },
      }
    : { headers: own };
  const isSecure = place.protocol === 'https:';
  const agent = isSecure ? (route.agents.httpsAgent ?? false) : false;
  return new Promise((resolve, reject) => {
    const request = (isSecure ? secureRequest : plainRequest)(place, {
      ...{ ...options, method: 'POST', agent, signal },
    });
    request.on('error', reject);
    request.on('response', (response: IncomingMessage) => {
      const { statusCode = 0, statusMessage = '', headers } = response;
      response.on('error', () => {}); // that we break it off
      const text = `${statusCode} ${statusMessage}`.trimEnd();
      resolve({ status: statusCode, text, location: headers.location, proxy });
      request.destroy();
    });
    request.end(body);
  });
}

/** Whether it is not even tried, for what was given has characters that no request takes: secrets, maybe. */
function isUnfit(error: unknown): boolean {
  return error instanceof TypeError;
}

function reasonOf(error: unknown): string {
  if (isUnfit(error)) return 'its URL, or a secret that goes with it, has characters that can not be sent';
  if (error instanceof ProxyError) return `the proxy ${error.place} is in the way (${error.code})`;
  if (error instanceof AggregateError) return messageOf(error.errors[0]); // one for each address of the host
  return messageOf(error);
}
