/**
 * What a failed request means: a sentence with a remedy for people, a code for callers, and whether to try again.
 * Texts of the service are a stranger's: they are repeated only for names that we do not know, cut and made printable.
 * They never hold secrets of ours; a key's secret half is not even sent.
 */

import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError, type ErrorCode, messageOf } from '../errors.ts';
import { ProxyError } from '../network/proxies.ts';
import type { Verdict } from './retrying.ts';

/** No byte went either way for the time that `--timeout` allows. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
}

/** Bytes arrived changed: a checksum, ETag or length is not that of what was sent. */
export class AlteredError extends Error {
  override readonly name = 'AlteredError';
}

/** An object ends before what it was promised to hold. */
export class ReplacedError extends Error {
  override readonly name = 'ReplacedError';
}

/** What gives the credentials has not done so in time. */
export class CredentialsLateError extends Error {
  override readonly name = 'CredentialsLateError';
}

/** An answer that does not tell how many bytes there are. */
export class UnsizedError extends Error {
  override readonly name = 'UnsizedError';
}

/** An answer that is none of S3's, as a network gives that wants a login first. */
export class ForeignError extends Error {
  override readonly name = 'ForeignError';
}

interface Meaning {
  readonly code: ErrorCode;
  readonly retry: Verdict['retry'];
  /** What is wrong and what to do; `{bucket}` and `{reason}` are filled in. */
  readonly text: string;
  readonly slowDown?: boolean;
}

const denied = (text: string): Meaning => ({ code: 'target-denied', retry: 'never', text });
const busy = (text: string): Meaning => ({ code: 'target-unreachable', retry: 'counted', text });
const silent = (text: string): Meaning => ({ code: 'target-unreachable', retry: 'timed', text });

const ACCESS = denied(
  'access is denied. Let the access key list, read, write and delete in bucket "{bucket}", or use another key',
);
const BUCKET = denied(
  'there is no bucket "{bucket}". Check the target URL and --s3-endpoint-url, or create the bucket',
);
const EXPIRED = denied('the session token is invalid or has expired. Log in again, then run again');
const CLOCK = denied(
  "this computer's clock differs too much from the service's. Set the clock (for example by NTP), then run again",
);
const REGION = denied('the bucket is in another region. Name it with --s3-region-name{region}');
const FULL: Meaning = {
  code: 'target-full',
  retry: 'never',
  text: 'the space or quota there is used up. Make room, for example by removing old backups, then run again',
};
const MISSING: Meaning = {
  code: 'object-missing',
  retry: 'never',
  text: 'it is not there. Was it deleted or moved? "check" tells what can still be restored',
};
const REPLACED: Meaning = {
  code: 'target-unreachable',
  retry: 'never', // the rest of the old object is gone
  text: 'it was replaced while it was read. Run again',
};
const FOREIGN = busy(
  'what answers there does not speak S3 (a network that wants a login?). Check --s3-endpoint-url, then run again',
);
const NOWHERE = denied(
  'no S3 service answers there, or it has no bucket "{bucket}". Check the target URL and --s3-endpoint-url',
);
const SLOW: Meaning = { ...busy('the service asks to slow down. Run again later'), slowDown: true };
const BROKEN = busy('the service failed. Run again later; if it stays so, ask its operator');
const ALTERED = busy('bytes arrived changed. If it stays so, test memory, network and the service');
const OFFLINE = silent(
  'the service does not answer ({reason}). Check the network and --s3-endpoint-url (http or https, port), then run again',
);
const HOST = silent(
  'its host name is unknown. Check --s3-endpoint-url, the region and the network, then run again',
);
const CERTIFICATE = denied(
  "the server's TLS certificate or protocol is not acceptable ({reason}). Check --s3-endpoint-url; own authorities go into a file that AWS_CA_BUNDLE names",
);
const CREDENTIALS = denied(
  'no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or see that AWS_PROFILE names a profile in ~/.aws and that its credential_process works',
);
const CREDENTIALS_LATE = denied(
  'the credentials do not come: the credential_process of the profile, or the service that hands them out, does not end or answer. See that it works without a terminal',
);
const SIGNED_OUT = denied(
  'the login of the profile has expired. Log in with "aws sso login", then run again',
);

const TOO_LARGE = denied(
  'the object is too large for the service, or for a proxy before it (nginx: client_max_body_size). Lower --volsize or --s3-multipart-chunk-size, or raise that limit',
);

/** By the name that the service, the SDK or the system gives. */
const meanings: Readonly<Record<string, Meaning>> = {
  AccessDenied: ACCESS,
  AllAccessDisabled: ACCESS,
  Forbidden: ACCESS,
  InvalidAccessKeyId: denied('the access key is unknown there. Check AWS_ACCESS_KEY_ID or the profile'),
  SignatureDoesNotMatch: denied(
    'the signature was not accepted. Check AWS_SECRET_ACCESS_KEY, --s3-region-name and --s3-endpoint-url',
  ),
  NoSuchBucket: BUCKET,
  InvalidBucketName: BUCKET,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  InvalidToken: EXPIRED,
  RequestTimeTooSkewed: CLOCK,
  RequestExpired: CLOCK,
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  InvalidStorageClass: denied('the service has no such storage class. Choose another --s3-use-… option'),
  InvalidObjectState: {
    code: 'object-cold',
    retry: 'never',
    text: 'it is in cold storage. "restore --thaw" asks for it; after some hours run again',
  },
  GlacierExpeditedRetrievalNotAvailable: denied(
    'the service has no room for fast thaws now. Use --thaw-tier Standard, or try again later',
  ),
  EntityTooSmall: denied('the parts are too small for the service. Raise --s3-multipart-chunk-size'),
  EntityTooLarge: TOO_LARGE,
  QuotaExceeded: FULL,
  QuotaExceededException: FULL,
  ServiceQuotaExceededException: FULL,
  InsufficientCapacity: FULL,
  XMinioStorageFull: FULL,
  XMinioAdminBucketQuotaExceeded: FULL,
  NoSuchKey: MISSING,
  NotFound: MISSING,
  NoSuchUpload: {
    code: 'target-unreachable',
    retry: 'never',
    text: 'its unfinished upload was removed there. Run again',
  },
  PreconditionFailed: REPLACED,
  ReplacedError: REPLACED,
  SlowDown: SLOW,
  Throttling: SLOW,
  ThrottlingException: SLOW,
  TooManyRequests: SLOW,
  RequestLimitExceeded: SLOW,
  RequestTimeout: BROKEN,
  OperationAborted: BROKEN,
  ConditionalRequestConflict: BROKEN,
  InternalError: BROKEN,
  ServiceUnavailable: SLOW,
  BadDigest: ALTERED,
  InvalidDigest: ALTERED,
  IncompleteBody: ALTERED,
  XAmzContentSHA256Mismatch: ALTERED,
  XAmzContentChecksumMismatch: ALTERED,
  AlteredError: ALTERED,
  ForeignError: FOREIGN,
  UnsizedError: denied(
    'the service, or a proxy before it, does not tell how large it is. Have the proxy leave Content-Length and Content-Range in answers',
  ),
  StalledError: silent(
    'the connection stalled. Check the network; a slow one needs a longer --timeout. Then run again',
  ),
  TimeoutError: OFFLINE,
  CredentialsProviderError: CREDENTIALS,
  CredentialsLateError: CREDENTIALS_LATE,
  TokenProviderError: EXPIRED,
  ENOTFOUND: HOST,
  EAI_AGAIN: HOST,
  EPROTO: denied(
    'it does not speak TLS as we do. A server without TLS wants http:// in --s3-endpoint-url; else check its port, and proxies on the way',
  ),
  ERR_TLS_CERT_ALTNAME_INVALID: denied(
    "the server's TLS certificate is for another host. Give --s3-endpoint-url a name that is in it, or have one made for this name",
  ),
  CERT_NOT_YET_VALID: denied(
    "the server's TLS certificate is not valid yet by this computer's clock. Set the clock (for example by NTP), then run again",
  ),
  CERT_HAS_EXPIRED: denied(
    "the server's TLS certificate has expired by this computer's clock. Set the clock; if it is right, ask the service's operator",
  ),
};

function proxyMeaning({ status, place }: ProxyError): Meaning {
  const proxy = `the proxy ${displayPath(pathFromText(place))}`;
  if (status === 407) {
    return denied(
      `${proxy} wants another name and password. HTTPS_PROXY and HTTP_PROXY hold them: http://name:password@host:port`,
    );
  }
  if (status === undefined) {
    return silent(
      `${proxy}, or what is behind it, does not answer ({reason}). Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, then run again`,
    );
  }
  if (status >= 500) {
    return silent(`${proxy} does not get through to it ({reason}). Check --s3-endpoint-url, then run again`);
  }
  return denied(
    `${proxy} does not let us through ({reason}). Have it allow the service, or except the service in NO_PROXY`,
  );
}

function meaningOf(error: unknown, name: string, status: number | undefined): Meaning {
  if (error instanceof ProxyError) return proxyMeaning(error);
  if (name === 'CredentialsProviderError' && /\bSSO\b|aws login/i.test(messageOf(error))) return SIGNED_OUT;
  if (Object.hasOwn(meanings, name)) return meanings[name]!;
  if (/^KMS\./.test(name)) return denied(`the encryption key can't be used (${name}). Check --s3-kms-key-id`);
  if (/CERT|^ERR_(TLS|SSL)|UNABLE_TO_|SELF_SIGNED/.test(name)) return CERTIFICATE;
  if (status === undefined) {
    // Without an answer: the system's and the parser's errors pass, all others are ours and would only repeat.
    const isOfNetwork = /^(E[A-Z]+|HPE_\w+|UND_\w+)$/.test(name) && !isOfFile(error);
    return isOfNetwork ? OFFLINE : denied(strangers(messageOf(error)));
  }
  if (status === 403 || status === 401) return ACCESS;
  if (status === 404) return MISSING;
  if (status === 429) return SLOW;
  if (status === 507) return FULL;
  if (status === 413) return TOO_LARGE;
  if (status < 300) return BROKEN; // success with an answer that can't be read
  if (status < 400) return redirected(error);
  if (status >= 500 && status !== 501) return BROKEN;
  if (name === unnamed(status)) {
    return denied(
      `it answers with HTTP status ${status} and no reason that S3 knows. Check --s3-endpoint-url (http or https, port), proxies on the way, and the credentials`,
    );
  }
  return denied(
    `the service refuses it: ${strangers(`${name}: ${messageOf(error)}`)}. Try the "probe" command`,
  );
}

/** A redirect that no service of S3's explains: a web server's, to the place where it wants to be asked. */
function redirected(error: unknown): Meaning {
  const to = headersOf(error)?.['location'] ?? '';
  const isOfS3 = /Redirect$/.test((error as { name?: string }).name ?? '');
  if (isOfS3 || !URL.canParse(to)) return REGION;
  return denied(`the server there sends us to ${strangers(new URL(to).origin)}. Check --s3-endpoint-url`);
}

/** Whether a file could not be read, as one of a credential that is named in the environment. */
function isOfFile(error: unknown): boolean {
  return (error as { syscall?: unknown } | null)?.syscall === 'open';
}

/** The name of an answer that tells in no way of S3's what is wrong. */
const unnamed = (status: number) => `HTTP ${status}`;

/** Foreign text for a message: one short printable line. */
function strangers(text: string): string {
  return displayPath(pathFromText(text.slice(0, 200))).replace(/[\s.]+$/, '');
}

/** The most telling name of an error: the system's, else the service's or SDK's. */
export function reasonOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  // The SDK calls resets and other errors of the system timeouts.
  const isTelling = typeof name === 'string' && name !== 'TimeoutError' && Object.hasOwn(meanings, name);
  if (typeof code === 'string' && !isTelling) return code;
  const status = statusOf(error);
  if (status !== undefined && /^(Error|Unknown(Error)?)$/.test(String(name))) return unnamed(status);
  return typeof name === 'string' ? name : 'Error';
}

/** HTTP status of the answer; undefined when none came. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  return typeof status === 'number' && status > 0 ? status : undefined;
}

/** Whether the credentials are no longer good, so that others may help; an answer without a body can't say it. */
export function meansExpired(error: unknown): boolean {
  const status = statusOf(error);
  const reason = reasonOf(error);
  return (status === 400 && reason === unnamed(status)) || meaningOf(error, reason, status) === EXPIRED;
}

/** Whether the service refuses the checksum headers that newer SDKs send, so that leaving them out may help. */
export function refusesChecksums(error: unknown): boolean {
  const status = statusOf(error);
  if (status === 501) return true;
  const reason = reasonOf(error);
  return (
    status === 400 &&
    meaningOf(error, reason, status) !== ALTERED && // it has read the checksum, and says so in these words too
    /checksum|x-amz-(sdk|trailer)|unsupported header/i.test(`${reason} ${messageOf(error)}`)
  );
}

/** Whether an error of `explain` says that there is an object already. */
export function isTaken(error: unknown): boolean {
  return error instanceof BackupError && error.facts['reason'] === 'PreconditionFailed';
}

/** Whether the service can't put on a condition, so that it may do so without. */
export function refusesConditions(error: unknown): boolean {
  const status = statusOf(error);
  const told = `${reasonOf(error)} ${messageOf(error)}`;
  return (
    status === 501 || (status === 400 && /none-?match|condition|not.?implemented|unsupported/i.test(told))
  );
}

/** Whether an error of `explain` says that an upload is no more: completed, given up, or never begun. */
export function isUploadGone(error: unknown): boolean {
  return error instanceof BackupError && MEANS_GONE.has(error.facts['reason']);
}

const MEANS_GONE: ReadonlySet<unknown> = new Set(['NoSuchUpload', 'NotFound']);

/** @param knownHost whether the service has ever answered: what was not found is then an outage, else rather a slip */
export function judge(error: unknown, knownHost: boolean): Verdict {
  const reason = reasonOf(error);
  const meaning = meaningOf(error, reason, statusOf(error));
  const { slowDown = false } = meaning;
  let { retry } = meaning;
  const isNowhere = reason === 'ENOTFOUND' || (error instanceof ProxyError && error.status !== undefined);
  if (isNowhere && !knownHost && retry === 'timed') retry = 'counted';
  if ((meaning === CREDENTIALS || meaning === CREDENTIALS_LATE) && knownHost) retry = 'timed'; // there were some: what renews them is away
  return {
    retry,
    slowDown,
    afterMs: retryAfterMs(error),
  };
}

function headersOf(error: unknown): Readonly<Record<string, string>> | undefined {
  return (error as { $response?: { headers?: Record<string, string> } } | null)?.$response?.headers;
}

/** Retry-After: seconds or a date. */
function retryAfterMs(error: unknown): number {
  const text = headersOf(error)?.['retry-after'] ?? '';
  const ms = /^[\d.]+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(ms, 0);
}

export interface Doing {
  /** In words after "Can't", for example `store`. */
  readonly doing: string;
  /** Name of the object, if it is about one. */
  readonly object?: string | undefined;
}

/** The error to throw. Errors of ours pass unchanged. */
export function explain(
  error: unknown,
  { doing, object = '' }: Doing,
  target: string,
  bucket: string,
): BackupError {
  if (error instanceof BackupError) return error;
  const reason = reasonOf(error);
  const found = meaningOf(error, reason, statusOf(error));
  // What is asked of the bucket itself is always there.
  const { code, text } = found === MISSING && object === '' ? NOWHERE : found;
  const region = code === 'target-denied' ? regionIn(error) : undefined;
  const what = object === '' ? doing : `${doing} ${displayPath(object)}`;
  const filled = text
    .replace('{bucket}', () => displayPath(pathFromText(bucket)))
    .replace('{reason}', () => strangers(reason))
    .replace('{region}', () => (region === undefined ? '' : `=${region}`));
  return new BackupError(
    code,
    `Can't ${what} in ${target}: ${filled}.`,
    { object, target, reason, ...(region !== undefined && { region }) },
    { cause: error },
  );
}

/** Where the bucket is, if the service says so. */
function regionIn(error: unknown): string | undefined {
  const { Region } = error as { Region?: unknown };
  const region = Region ?? headersOf(error)?.['x-amz-bucket-region'];
  return typeof region === 'string' && /^[\w-]{1,40}$/.test(region) ? region : undefined;
}
