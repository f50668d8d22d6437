/** Options that every command on an archive has. */

import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { pathFromText } from '../bytes.ts';
import { defaultCacheRoot } from '../cache/archive-cache.ts';
import type { CheckRequest } from '../commands/check.ts';
import type { CommonOptions } from '../commands/host.ts';
import { BackupError } from '../errors.ts';
import type { Prefixes } from '../manifest/names.ts';
import { checkName } from '../storage/storage.ts';
import { keyValues } from './key-values.ts';
import type { OptionValue } from './parse.ts';
import { ranged } from './ranged.ts';
import { s3Options } from './s3-values.ts';

/** What every command on an archive takes. @throws BackupError `usage` */
export async function archiveRequest(values: Readonly<Record<string, OptionValue>>): Promise<CommonOptions> {
  return { ...commonOptions(values), keys: (await keyValues(values)).choice };
}

/** @throws BackupError `usage` */
export function commonOptions(values: Readonly<Record<string, OptionValue>>): CommonOptions {
  const text = (name: string) => values[name] as string | undefined;
  const bytesText = (name: string) => {
    const value = text(name);
    return value === undefined ? undefined : pathFromText(value);
  };
  const archiveDir = text('archive-dir');
  const [name, prefixes] = [bytesText('name'), prefixesOf(values)];
  if (name !== undefined) checkName(name);
  for (const prefix of Object.values(prefixes)) checkName(`${prefix}duplicity`); // as names of objects begin
  return {
    archiveDir: archiveDir === undefined ? defaultCacheRoot() : pathFromText(resolve(archiveDir)),
    name,
    tempdir: resolve(text('tempdir') ?? tmpdir()),
    prefixes,
    s3: s3Options(values),
  };
}

function prefixesOf(values: Readonly<Record<string, OptionValue>>): Prefixes {
  const given = (['file', 'archive', 'manifest', 'signature', 'jsonstat'] as const).flatMap(kind => {
    const text = values[kind === 'file' ? 'file-prefix' : `file-prefix-${kind}`];
    return text === undefined ? [] : [[kind, pathFromText(text as string)] as const];
  });
  return Object.fromEntries(given);
}

const STALL_TIMEOUT_SECONDS = 1800;

/** @throws BackupError `usage` */
export function stallTimeoutMs(values: Readonly<Record<string, OptionValue>>): number {
  return (ranged(values, 'stall-timeout', 0, 1_000_000) ?? STALL_TIMEOUT_SECONDS) * 1000;
}

/** How much a check reads. @throws BackupError `usage` */
export function sampleOf(values: Readonly<Record<string, OptionValue>>): CheckRequest['sample'] {
  const text = values.sample as string | undefined;
  if (text === undefined) return undefined;
  const [, digits, unit] = /^(\d{1,15}(?:\.\d+)?)([%KMGT]?)$/i.exec(text) ?? [];
  const number = Number(digits);
  if (digits === undefined || !(number > 0) || (unit === '%' && number > 100)) {
    throw new BackupError('usage', `--sample takes a share such as 5% or a size such as 500M, not '${text}'`);
  }
  if (unit === '%') return { percent: number };
  return { bytes: number * 1024 ** ' KMGT'.indexOf(unit!.toUpperCase() || ' ') };
}
