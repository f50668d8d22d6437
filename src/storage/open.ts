/** A target's URL → its Storage. Kinds that need heavy libraries load them only here. */

import type { Reporter } from '../report.ts';
import { createFolderStorage } from './folder.ts';
import type { S3Options } from './s3-options.ts';
import type { Storage } from './storage.ts';
import { parseTarget } from './url.ts';

/**
 * @param owner for a folder: whose runs these are
 * @throws BackupError `usage` for a URL that is none of ours
 */
export async function openStorage(
  url: string,
  s3: S3Options,
  reporter: Reporter,
  owner?: () => Promise<string>,
): Promise<Storage> {
  const target = parseTarget(url);
  const isFolder = target.scheme === 'file';
  const level = isFolder ? 'warning' : 'notice'; // half of a folder's name is a folder that nobody meant
  if (target.notice) reporter.report({ level, code: 'url', message: target.notice });
  if (isFolder) return createFolderStorage(target.path, { owner });
  const { openS3 } = await import('./s3.ts');
  return openS3(target, s3, { reporter });
}
