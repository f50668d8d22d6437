/** Values of the S3 options → what the storage wants. */

import { BackupError } from '../errors.ts';
import type { S3Options, StorageClassChoice } from '../storage/s3-options.ts';
import type { OptionValue } from './parse.ts';
import { ranged } from './ranged.ts';

type Values = Readonly<Record<string, OptionValue>>;

const MIB = 1024 * 1024;
const LONGEST_S = 1_000_000; // a timer has room for twice as much
const FASTEST = 999_999_999;
const classes: readonly StorageClassChoice[] = [
  'rrs',
  'ia',
  'onezone-ia',
  'glacier',
  'glacier-ir',
  'deep-archive',
];
const tiers = ['Standard', 'Bulk', 'Expedited'] as const;

/** @throws BackupError `usage` for values that do not go together */
export function s3Options(values: Values): S3Options {
  const chosen = classes.filter(name => values[`s3-use-${name}`] === true);
  if (chosen.length > 1) {
    throw new BackupError('usage', `--s3-use-${chosen[0]} and --s3-use-${chosen[1]} do not go together`);
  }
  const chunkSize = ranged(values, 's3-multipart-chunk-size', 1, 1024);
  return defined({
    endpointUrl: values['s3-endpoint-url'] as string | undefined,
    regionName: values['s3-region-name'] as string | undefined,
    unencryptedConnection: values['s3-unencrypted-connection'] as boolean | undefined,
    pathStyle: pathStyle(values),
    storageClass: chosen[0],
    sse: serverSideEncryption(values),
    multipartChunkSize: chunkSize === undefined ? undefined : chunkSize * MIB,
    multipartMaxProcs: ranged(values, 's3-multipart-max-procs', 1, 1000),
    numRetries: values['num-retries'] as number | undefined,
    retryFor: ranged(values, 'retry-for', 0, LONGEST_S),
    timeout: ranged(values, 'timeout', 1, LONGEST_S),
    uploadLimit: ranged(values, 'upload-limit', 1, FASTEST),
    downloadLimit: ranged(values, 'download-limit', 1, FASTEST),
  });
}

function pathStyle(values: Values): boolean | undefined {
  const text = values['s3-path-style'];
  if (text === undefined || text === 'yes' || text === 'no')
    return text === undefined ? undefined : text === 'yes';
  throw new BackupError('usage', `--s3-path-style takes yes or no, not '${text}'`);
}

/** @throws BackupError `usage` */
export function thawTier(values: Values): (typeof tiers)[number] | undefined {
  const text = values['thaw-tier'] as string | undefined;
  if (text === undefined) return undefined;
  const tier = tiers.find(name => name.toLowerCase() === text.toLowerCase());
  if (!tier) throw new BackupError('usage', `--thaw-tier takes ${tiers.join(', ')}, not '${text}'`);
  return tier;
}

function serverSideEncryption(values: Values): S3Options['sse'] {
  if (values['s3-use-server-side-kms-encryption'] === true) {
    const keyId = values['s3-kms-key-id'] as string | undefined;
    if (keyId === undefined) {
      throw new BackupError('usage', '--s3-use-server-side-kms-encryption needs --s3-kms-key-id');
    }
    return { kind: 'kms', ...defined({ keyId, grant: values['s3-kms-grant'] as string | undefined }) };
  }
  return values['s3-use-server-side-encryption'] === true ? { kind: 'AES256' } : undefined;
}

/** Without the properties that are undefined. */
function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
