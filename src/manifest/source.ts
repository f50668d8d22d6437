/** What a manifest says about where its data came from, so that two sources do not end up in one chain. */

import type { Manifest } from './manifest.ts';

/**
 * The spelling of a source folder that manifests keep: empty and `.` parts go, `..` and a relative path stay as typed.
 * @param path bytes as latin1, as the user gave it
 */
export function canonicalLocaldir(path: string): string {
  const parts = path.split('/').filter(part => part !== '' && part !== '.');
  if (path.startsWith('/')) return `/${parts.join('/')}`;
  return parts.join('/') || '.';
}

export interface SourceMismatch {
  readonly field: 'hostname' | 'localdir';
  readonly stored: string;
  readonly current: string;
}

/**
 * The first difference between a manifest's source and ours; what the manifest does not say is not compared.
 * @param source.hostnames names of this host, short and full; at least one
 * @param source.localdir as the user gave it
 */
export function sourceMismatch(
  manifest: Manifest,
  source: { readonly hostnames: readonly string[]; readonly localdir: string },
): SourceMismatch | undefined {
  const { hostname, localdir } = manifest;
  if (hostname !== undefined && !source.hostnames.includes(hostname)) {
    return { field: 'hostname', stored: hostname, current: source.hostnames[0] ?? '' };
  }
  const current = canonicalLocaldir(source.localdir);
  if (localdir !== undefined && localdir !== current) return { field: 'localdir', stored: localdir, current };
  return undefined;
}
