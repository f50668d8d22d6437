import type { Action } from '../actions.ts';
import { backups, downloaders, type OptionSpec } from '../option-spec.ts';

const s3 = 'S3: ';
/** A probe stores as a backup does: a bucket may refuse what is not encrypted. */
const stores: readonly Action[] = [...backups, 'probe'];

/** S3 buckets, see docs/s3.md: options of duplicity's, and those that only we have. */
export const s3Options: readonly OptionSpec[] = [
  {
    long: 's3-endpoint-url',
    kind: 'text',
    value: 'URL',
    help: `${s3}server, for services other than Amazon's`,
  },
  {
    long: 's3-region-name',
    kind: 'text',
    value: 'REGION',
    help: `${s3}region of the bucket`,
  },
  {
    long: 's3-path-style',
    kind: 'text',
    value: 'yes|no',
    help: `${s3}whether the bucket's name goes into the path (found out by itself)`,
  },
  {
    long: 's3-unencrypted-connection',
    kind: 'flag',
    help: `${s3}plain HTTP`,
  },
  ...(['rrs', 'ia', 'onezone-ia', 'glacier', 'glacier-ir', 'deep-archive'] as const).map(
    (name): OptionSpec => ({
      long: `s3-use-${name}`,
      kind: 'flag',
      help: `${s3}storage class ${name} for volumes`,
      actions: backups,
    }),
  ),
  {
    long: 's3-use-server-side-encryption',
    kind: 'flag',
    help: `${s3}encrypted by the service too (AES256)`,
    actions: stores,
  },
  {
    long: 's3-use-server-side-kms-encryption',
    kind: 'flag',
    help: `${s3}encrypted by the service too, with a key of its key service`,
    actions: stores,
  },
  {
    long: 's3-kms-key-id',
    kind: 'text',
    value: 'ID',
    help: `${s3}the key for --s3-use-server-side-kms-encryption`,
    actions: stores,
  },
  {
    long: 's3-kms-grant',
    kind: 'text',
    value: 'GRANTEE',
    help: `${s3}who gets full control of the objects`,
    actions: stores,
  },
  {
    long: 's3-multipart-chunk-size',
    kind: 'count',
    value: 'MiB',
    help: `${s3}size of a part of an upload, at least 5 (5)`,
    actions: backups,
  },
  {
    long: 's3-multipart-max-procs',
    kind: 'count',
    value: 'N',
    help: `${s3}parts on their way at once (3)`,
    actions: backups,
  },
  {
    long: 'num-retries',
    kind: 'count',
    value: 'N',
    help: `${s3}attempts in total for what the service refuses (5)`,
  },
  {
    long: 'retry-for',
    kind: 'count',
    value: 'SECONDS',
    help: `${s3}how long an unreachable service is waited for (900)`,
  },
  {
    long: 'timeout',
    kind: 'count',
    value: 'SECONDS',
    help: `${s3}silence after which a connection is given up (30)`,
  },
  {
    long: 'upload-limit',
    kind: 'count',
    value: 'BYTES',
    help: `${s3}most bytes per second sent`,
    actions: stores,
  },
  {
    long: 'download-limit',
    kind: 'count',
    value: 'BYTES',
    help: `${s3}most bytes per second received`,
    actions: [...downloaders, 'probe'],
  },
];
