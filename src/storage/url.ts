/**
 * Target URLs as duplicity reads them, so that a URL that a user has typed for years leads to the same place.
 */

import { createHash } from 'node:crypto';
import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError } from '../errors.ts';

export interface FileTarget {
  readonly scheme: 'file';
  /** Folder, bytes as a latin1 string; relative to the working directory unless it begins with `/`. */
  readonly path: string;
  /** A sentence for the user when the URL may mean something else to them. */
  readonly notice?: string;
}

export interface S3Target {
  readonly scheme: 's3';
  readonly bucket: string;
  /** Without `/` at its ends; '' for the bucket's root. A key is `prefix/name`. Text, not bytes: keys are UTF-8. */
  readonly prefix: string;
  /** `host` or `host:port` when the URL names a server; path-style access then. */
  readonly endpoint?: string;
  /** The URL's port is that of plain HTTP. */
  readonly insecure?: true;
  readonly notice?: string;
}

export type Target = FileTarget | S3Target;

const SUPPORTED =
  'file:///absolute/folder (also gio+file://), file://relative/folder, s3://bucket/prefix (also boto3+s3://, s3+http(s)://host:port/bucket/prefix and boto+s3://host/bucket/prefix)';

/** Whether a command line argument is a URL rather than a local path. */
export function isTargetUrl(text: string): boolean {
  return /^[\w+.-]+:\/\//.test(text) || /^file:\//i.test(text);
}

/** @throws BackupError 'usage' for what is no URL or not one of ours; the message never repeats credentials */
export function parseTarget(text: string): Target {
  const scheme = /^([\w+.-]+):\//.exec(text)?.[1];
  const rest = text.slice((scheme?.length ?? 0) + 1);
  switch (scheme?.toLowerCase()) {
    case 'file':
      return parseFile(rest);
    case 'gio+file': // what Déjà Dup calls a folder or a disk of this machine
      if (!rest.startsWith('///')) throw new BackupError('usage', 'Write gio+file:///absolute/folder.');
      return parseFile(rest);
    case 's3':
    case 'boto3+s3':
    case 's3+http':
    case 's3+https':
    case 'boto+s3':
      return parseS3(scheme!.toLowerCase(), rest);
    case undefined:
      throw new BackupError('usage', `The target is not a URL. Supported are: ${SUPPORTED}.`);
    default:
      throw new BackupError(
        'usage',
        `Targets of kind ${scheme}:// are not supported; mount the place and use file://. Supported are: ${SUPPORTED}.`,
      );
  }
}

/** duplicity's name of the archive cache for a target: MD5 (lower-case hex) of the URL exactly as typed. */
export function cacheNameFor(urlText: string): string {
  return createHash('md5').update(pathFromText(urlText), 'latin1').digest('hex');
}

/**
 * `//` is followed by an authority (up to the next `/`) that duplicity takes as the first, undecoded part of a relative
 * path; what follows is decoded. Beginning at `?` or `#` nothing counts.
 */
function parseFile(rest: string): FileTarget {
  const end = rest.search(/[?#]/);
  const counted = end < 0 ? rest : rest.slice(0, end);
  const [, authority = '', path = ''] = /^(?:\/\/([^/]*))?(.*)$/s.exec(counted)!;
  if (authority === '' && path.startsWith('//')) {
    throw new BackupError(
      'usage',
      'A file URL with four slashes is ambiguous: write file:///absolute/folder or file://relative/folder.',
    );
  }
  const folder = pathFromText(authority + decode(path));
  if (folder === '' || folder.includes('\0')) {
    throw new BackupError(
      'usage',
      'The file URL names no folder: write file:///absolute/folder or file://relative/folder.',
    );
  }
  if (end < 0) return { scheme: 'file', path: folder };
  const notice = `In a file URL "?" and "#" end the path: this one is the folder '${displayPath(folder)}'. If they belong to its name write %3F and %23.`;
  return { scheme: 'file', path: folder, notice };
}

/** Hosts of well-known S3 services; old duplicity versions took the first part of the URL for the server. */
const S3_HOSTS =
  /(^|\.)(amazonaws\.com(\.cn)?|storage\.googleapis\.com|digitaloceanspaces\.com|wasabisys\.com|backblazeb2\.com|r2\.cloudflarestorage\.com|scw\.cloud|linodeobjects\.com|your-objectstorage\.com|ovh\.(net|io)|exo\.io|dream\.io|storjshare\.io)$/;

function isS3Host(host: string): boolean {
  return host === 'localhost' || host.startsWith('[') || /^\d+(\.\d+){3}$/.test(host) || S3_HOSTS.test(host);
}

function parseS3(scheme: string, rest: string): S3Target {
  const [, authority, path = ''] = /^\/\/([^/]*)(.*)$/s.exec(rest) ?? [];
  if (authority === undefined) throw new BackupError('usage', 'An S3 URL is written s3://bucket/prefix.');
  if (authority.includes('@')) {
    throw new BackupError(
      'usage',
      'The target URL holds a user name or key, which would end up in logs and process lists. ' +
        'Give credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws/credentials instead.',
    );
  }
  const [, host, port] = /^([^:]*|\[[\da-f:.]+\])(?::(\d+))?$/i.exec(authority) ?? [];
  if (host === undefined) {
    throw new BackupError(
      'usage',
      'Between // and the next / an S3 URL has a bucket or host:port, nothing else.',
    );
  }
  const parts = path
    .split('/')
    .filter(part => part !== '')
    .map(decode);
  const isHost =
    scheme === 'boto+s3' || scheme === 's3+https' || port !== undefined || isS3Host(host.toLowerCase());
  const bucket = isHost || host === '' ? parts.shift() : host;
  if (bucket === undefined) {
    throw new BackupError('usage', 'The S3 URL names no bucket: write s3://bucket/prefix.');
  }
  const prefix = parts.join('/');
  if (!isHost) return { scheme: 's3', bucket, prefix };
  return {
    scheme: 's3',
    bucket,
    prefix,
    endpoint: authority,
    ...(port === '80' || scheme === 's3+http' ? { insecure: true } : {}),
    notice:
      `"${authority}" in the target URL is taken as the server and "${bucket}" as the bucket. ` +
      'Newer: s3://bucket/prefix with --s3-endpoint-url.',
  };
}

/** Percent-escapes decoded as UTF-8, what is invalid becoming U+FFFD; a `%` that begins no escape stays. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, run =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
