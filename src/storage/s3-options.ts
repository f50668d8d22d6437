/** What a user may say about an S3 target besides its URL, and what follows for the client. */

import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { BackupError } from '../errors.ts';
import type { S3Target } from './url.ts';

export type StorageClassChoice = 'rrs' | 'ia' | 'onezone-ia' | 'glacier' | 'glacier-ir' | 'deep-archive';

export interface S3Options {
  /** `https://host:port`, or without scheme; wins over a server in the URL. */
  readonly endpointUrl?: string;
  readonly regionName?: string;
  /** Plain HTTP where the endpoint does not say which. */
  readonly unencryptedConnection?: boolean;
  readonly storageClass?: StorageClassChoice;
  /** Encryption by the service; default is the bucket's. `grant` is a grantee that gets full control. */
  readonly sse?:
    | { readonly kind: 'AES256' }
    | { readonly kind: 'kms'; readonly keyId?: string; readonly grant?: string };
  /** Bytes of a part of a multipart upload, at least 5 MiB; default 5 MiB. */
  readonly multipartChunkSize?: number;
  /** Parts on their way at once, over all puts; default 3. */
  readonly multipartMaxProcs?: number;
  /** Attempts in total for what the service answers badly; default 5. */
  readonly numRetries?: number;
  /** Seconds for which failures are waited out; default 900. */
  readonly retryFor?: number;
  /** Seconds without any byte after which a connection is given up; default 30. */
  readonly timeout?: number;
  /** Bytes per second; default no limit. */
  readonly uploadLimit?: number;
  readonly downloadLimit?: number;
  /** Default: path style for endpoints of one's own and for buckets with dots, which certificates don't cover. */
  readonly pathStyle?: boolean;
  /** Whether to send the SDK's checksum headers until the service refuses them; default yes. */
  readonly checksums?: boolean;
}

export const DEFAULT_PART = 5 * 1024 * 1024; // 10 000 of them are 48 GiB, far above any volume
export const SMALLEST_PART = 5 * 1024 * 1024; // the services' own rule, except for the last part

type AmazonHost = Pick<S3ClientConfig, 'region' | 'useDualstackEndpoint' | 'useFipsEndpoint'>;

interface Place extends AmazonHost, Pick<S3ClientConfig, 'endpoint' | 'tls' | 'followRegionRedirects'> {
  readonly forcePathStyle: boolean;
}

/**
 * Where the bucket is and how it is addressed.
 * @param env the process's environment
 * @throws BackupError 'usage' for an endpoint that is no URL
 */
export function placeOf(target: S3Target, options: S3Options, env: NodeJS.ProcessEnv): Place {
  const secure = !(options.unencryptedConnection ?? target.insecure ?? false);
  const given = options.endpointUrl ?? target.endpoint;
  const amazon = given === undefined ? undefined : amazonHost(given);
  const endpoint = given === undefined || amazon !== undefined ? undefined : endpointOf(given, secure);
  const ownServer = endpoint ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  // The SDK knows AWS_REGION and profiles; the other variable is that of the Python tools.
  const region =
    options.regionName ?? (amazon?.region || env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || undefined);
  return {
    ...amazon,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(secure ? {} : { tls: false }),
    ...(region === undefined ? {} : { region }),
    forcePathStyle: options.pathStyle ?? (ownServer !== undefined || target.bucket.includes('.')),
    followRegionRedirects: options.regionName === undefined,
  };
}

function endpointOf(text: string, secure: boolean): string {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `${secure ? 'https' : 'http'}://${text}`;
  if (!URL.canParse(url) || !/^https?:\/\/[^@]+$/i.test(url)) {
    throw new BackupError(
      'usage',
      'The S3 endpoint is no address: write https://host, https://host:port or http://host:port, without credentials.',
    );
  }
  return url;
}

/** @throws BackupError 'usage' for a server of the environment or the profile that is no address */
export function checkNamed(endpoint: string): void {
  if (URL.canParse(endpoint) && /^https?:\/\/[^@]+$/i.test(endpoint)) return;
  throw new BackupError(
    'usage',
    'The server that AWS_ENDPOINT_URL or endpoint_url of the AWS profile names is no address: write https://host, https://host:port or http://host:port, without credentials.',
  );
}

/** What a host of Amazon's own says, undefined for other hosts; the SDK then makes the bucket's host by itself. */
function amazonHost(endpoint: string): AmazonHost | undefined {
  const form =
    /^(?:https?:\/\/)?s3(-fips)?(\.dualstack)?(?:[.-](external-1|[a-z]{2}(?:-[a-z]+)+-\d+))?\.amazonaws\.com(?:\.cn)?\/?$/i;
  const [match, fips, dual, region] = form.exec(endpoint.toLowerCase()) ?? [];
  if (match === undefined) return undefined;
  return {
    ...(region === undefined ? {} : { region: region === 'external-1' ? 'us-east-1' : region }),
    ...(dual === undefined ? {} : { useDualstackEndpoint: true }),
    ...(fips === undefined ? {} : { useFipsEndpoint: true }),
  };
}

/** Storage class of an object. What every run may read never goes where reading takes hours or costs by the read. */
export function storageClassOf(choice: StorageClassChoice | undefined, kind: 'volume' | 'metadata') {
  return choice === undefined || kind === 'metadata' ? undefined : classes[choice];
}

const classes = {
  rrs: 'REDUCED_REDUNDANCY',
  ia: 'STANDARD_IA',
  'onezone-ia': 'ONEZONE_IA',
  glacier: 'GLACIER',
  'glacier-ir': 'GLACIER_IR',
  'deep-archive': 'DEEP_ARCHIVE',
} as const satisfies Record<StorageClassChoice, string>;

/** The service's own encryption, as fields of a request that makes an object. */
export function encryptionOf(sse: S3Options['sse']) {
  if (sse === undefined) return {};
  if (sse.kind === 'AES256') return { ServerSideEncryption: 'AES256' as const };
  return {
    ServerSideEncryption: 'aws:kms' as const,
    ...(sse.keyId === undefined ? {} : { SSEKMSKeyId: sse.keyId }),
    ...(sse.grant === undefined ? {} : { GrantFullControl: sse.grant }),
  };
}
