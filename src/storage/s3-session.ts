/**
 * A bucket that can be asked: the SDK's client with our own transport, and one way to send a request, with retries,
 * checksums that step back for services that refuse them, and errors explained. The SDK is large, and loaded only
 * when a target is S3. Its own retries are off: they know neither our budget nor our reporter.
 */

import type { S3Client } from '@aws-sdk/client-s3';
import { displayPath, pathFromText } from '../bytes.ts';
import { routeOf } from '../network/route.ts';
import { type Reporter, silentReporter } from '../report.ts';
import {
  createTrial,
  type Retry,
  type RetryHost,
  type RetryPolicy,
  realHost,
  type Trial,
} from './retrying.ts';
import { guardCredentials } from './s3-credentials.ts';
import {
  type Doing,
  explain,
  judge,
  meansExpired,
  reasonOf,
  refusesChecksums,
  statusOf,
} from './s3-errors.ts';
import {
  checkNamed,
  DEFAULT_PART,
  encryptionOf,
  placeOf,
  type S3Options,
  SMALLEST_PART,
} from './s3-options.ts';
import { passByProxies } from './s3-proxies.ts';
import { guardTransport } from './s3-transport.ts';
import { createThrottle, type Throttle } from './throttle.ts';
import type { S3Target } from './url.ts';

export type Sdk = typeof import('./s3-sdk.ts');

export interface S3Host {
  readonly reporter?: Reporter;
  readonly retry?: RetryHost;
  /** Milliseconds since 1970, for the age of unfinished uploads. */
  readonly now?: () => number;
  readonly env?: NodeJS.ProcessEnv;
  /** Bytes of a part below what services allow, for tests. */
  readonly partSize?: number;
}

/** Options of one request for the SDK; aborts it when the signal fires. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

/** Whether the requests of one put carry checksums. Amazon refuses parts without in an upload that began with them. */
export interface Sums {
  sent: boolean;
  /** One was acknowledged, so they are not what is refused later. */
  proved: boolean;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly policy?: RetryPolicy;
  /** Of the put that this is for; taken back if the service refuses checksums. */
  readonly sums?: Sums;
}

export interface S3Session {
  readonly sdk: Sdk;
  readonly bucket: string;
  /** What keys begin with, '' or ending in `/`. */
  readonly prefix: string;
  readonly description: string;
  readonly pathStyle: boolean;
  readonly options: S3Options;
  readonly encryption: ReturnType<typeof encryptionOf>;
  readonly partSize: number;
  /** Requests with a part of an object at once. */
  readonly width: number;
  readonly downloads: Throttle | undefined;
  readonly reporter: Reporter;
  now(): number;
  /** Whether checksum headers are sent with what begins now. */
  checksums(): boolean;

  /**
   * Sends until it works or the retries are used up.
   * @throws BackupError, the signal's reason
   */
  request<T>(
    what: Doing,
    send: (client: S3Client, options: SendOptions) => Promise<T>,
    options?: RequestOptions,
  ): Promise<T>;

  /** For work that takes up where it broke off: attempts that share one budget. */
  trial(): Trial;
  /** Waits before the next attempt of a trial. @throws BackupError, the signal's reason */
  failed(trial: Trial, what: Doing, error: unknown, signal?: AbortSignal): Promise<void>;

  close(): void;
}

const DEFAULT_ATTEMPTS = 5;
const DEFAULT_BUDGET_S = 900;
const DEFAULT_TIMEOUT_S = 30;
const CREDENTIALS_TIMEOUTS = 4; // a program that hands them out may ask several services
const DEFAULT_WIDTH = 3; // 15 MiB under way keep a line of 1 Gbit/s busy over a round trip of 100 ms
const LONG_MS = 5000; // a wait that a person would wonder about

export async function openSession(
  target: S3Target,
  options: S3Options,
  host: S3Host = {},
): Promise<S3Session> {
  const { reporter = silentReporter, retry: retryHost = realHost, env = process.env } = host;
  const place = placeOf(target, options, env);
  const timeoutMs = (options.timeout ?? DEFAULT_TIMEOUT_S) * 1000;
  const { agents, proxies } = await routeOf(env, timeoutMs);
  // The SDK's hint about coming Node versions is for developers; which version of it we use is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const sdk = await import('./s3-sdk.ts');

  const policy = {
    attempts: options.numRetries ?? DEFAULT_ATTEMPTS,
    budgetMs: (options.retryFor ?? DEFAULT_BUDGET_S) * 1000,
  };
  let checksums = options.checksums ?? true;
  let answered = false;
  // What asks for a login's keys has a client of its own, with the default handler if nothing else is said.
  const clientConfig: { requestHandler?: unknown } = {};
  const client = new sdk.S3Client({
    ...place,
    ...{ clientConfig },
    ...(place.region === undefined && (await hasNoRegion(sdk)) ? { region: 'us-east-1' } : {}),
    maxAttempts: 1,
    requestChecksumCalculation: async () => (checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'),
    responseChecksumValidation: 'WHEN_REQUIRED', // only where s3-get.ts asks for it
    expectContinueHeader: false, // parts are small; the question would cost a round trip each
    requestHandler: {
      ...{ connectionTimeout: timeoutMs, requestTimeout: 0, socketTimeout: 0, ...agents },
      // The timer for a warning, of which nobody would hear: what is thrown while a request is made leaves it running.
      socketAcquisitionWarningTimeout: 1,
    },
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  });
  clientConfig.requestHandler = client.config.requestHandler;
  // A profile may name a server too; the SDK finds it by itself.
  const named = await client.config.serviceConfiguredEndpoint?.();
  if (named !== undefined && place.endpoint === undefined) checkNamed(named);
  const pathStyle = options.pathStyle ?? (place.forcePathStyle || named !== undefined);
  client.config.forcePathStyle = pathStyle;
  const throttle = (limit: number | undefined) =>
    limit === undefined ? undefined : createThrottle(limit, retryHost);
  guardTransport(client.config.requestHandler, { timeoutMs, uploads: throttle(options.uploadLimit) });
  const credentials = guardCredentials(client.config, CREDENTIALS_TIMEOUTS * timeoutMs);
  if (proxies) passByProxies(client.config.requestHandler, proxies);

  const prefix = target.prefix === '' ? '' : `${target.prefix}/`;
  const description = displayPath(pathFromText(`s3://${target.bucket}/${target.prefix}`));

  const onRetry =
    ({ doing, object = '' }: Doing, error: unknown) =>
    ({ attempt, delayMs }: Retry) =>
      reporter.report({
        level: delayMs >= LONG_MS || attempt >= 3 ? 'notice' : 'info',
        code: 'storage-retry',
        message:
          `Trying again to ${doing}${object === '' ? '' : ` ${displayPath(object)}`} ` +
          `in ${(delayMs / 1000).toFixed(1)} s (attempt ${attempt} failed: ${reasonOf(error)}).`,
        facts: { object, attempt, delayMs, reason: reasonOf(error) },
      });

  function withoutChecksums(error: unknown): void {
    if (!checksums) return;
    checksums = false;
    reporter.report({
      level: 'info',
      code: 'storage-checksums-refused',
      message: `${description} refuses checksum headers (${reasonOf(error)}); going on without them.`,
    });
  }

  async function failed(trial: Trial, what: Doing, error: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const verdict = judge(error, answered);
    await trial.failed(
      explain(error, what, description, target.bucket),
      verdict,
      onRetry(what, error),
      signal,
    );
  }

  return {
    sdk,
    bucket: target.bucket,
    prefix,
    description,
    pathStyle,
    options,
    encryption: encryptionOf(options.sse),
    partSize: host.partSize ?? Math.max(SMALLEST_PART, options.multipartChunkSize ?? DEFAULT_PART),
    width: Math.max(1, options.multipartMaxProcs ?? DEFAULT_WIDTH),
    downloads: throttle(options.downloadLimit),
    reporter,
    now: host.now ?? Date.now,
    checksums: () => checksums,
    trial: () => createTrial(policy, retryHost),
    failed,

    async request(what, send, { signal, policy: ownPolicy = policy, sums } = {}) {
      const trial = createTrial(ownPolicy, retryHost);
      let mayRenew = true;
      for (;;) {
        signal?.throwIfAborted();
        const wereSent = sums?.sent; // another part may step back meanwhile
        try {
          const result = await send(client, signal ? { abortSignal: signal } : {});
          answered = true;
          return result;
        } catch (error) {
          if (statusOf(error) !== undefined) answered = true;
          if (sums && wereSent && !sums.proved && refusesChecksums(error)) {
            sums.sent = false;
            withoutChecksums(error);
          } else if (mayRenew && meansExpired(error) && (await credentials.renew().catch(() => false))) {
            mayRenew = false;
          } else await failed(trial, what, error, signal);
        }
      }
    },

    close: () => client.destroy(),
  };
}

/** Whether neither environment nor profile name a region; services other than Amazon's rarely have one. */
async function hasNoRegion(sdk: Sdk): Promise<boolean> {
  const client = new sdk.S3Client({});
  try {
    await client.config.region();
    return false;
  } catch {
    return true;
  } finally {
    client.destroy();
  }
}
