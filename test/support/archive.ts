/** An archive in a temporary folder that a test backs up to and restores from, with our commands in-process. */

import { join } from 'node:path';
import { backup } from '../../src/commands/backup.ts';
import type { BackupRequest } from '../../src/commands/backup-setting.ts';
import { type CheckRequest, check } from '../../src/commands/check.ts';
import type { CommonOptions, KeyChoice } from '../../src/commands/host.ts';
import { type RestoreRequest, restore } from '../../src/commands/restore.ts';
import { createTestHost, type TestHost, type TestHostOptions } from './host.ts';

export interface TestArchive {
  readonly host: TestHost;
  /** The folder of the target, and its URL. */
  readonly folder: string;
  readonly url: string;
  readonly common: CommonOptions;
  /** @returns the exit status */
  backup(source: string, options?: Partial<BackupRequest>): Promise<number>;
  restore(target: string, options?: Partial<RestoreRequest>): Promise<number>;
  check(sample?: CheckRequest['sample']): Promise<number>;
}

export interface TestArchiveOptions extends TestHostOptions {
  /** Default: a folder below `base`. */
  readonly url?: string;
  readonly endpointUrl?: string;
}

/** A key of a passphrase costs gpg a tenth of a second or two by default, and so whoever reads what we sealed. */
export const quickKeys: KeyChoice = {
  ...{ encryptKeys: [], hiddenEncryptKeys: [], secretKeyFiles: [], useAgent: false, gpg: {} },
  s2kCount: 65_536,
};

/** @param base an existing folder for everything; without a passphrase the archive is plain */
export function createTestArchive(base: string, options: TestArchiveOptions = {}): TestArchive {
  const host = createTestHost(options);
  const folder = join(base, 'target');
  const { url = `file://${folder}`, endpointUrl } = options;
  const s3 = endpointUrl === undefined ? {} : { s3: { endpointUrl } };
  const common = { archiveDir: join(base, 'our cache'), tempdir: base, ...s3 };
  return {
    host,
    folder,
    url,
    common,
    backup: (source, more = {}) =>
      backup(
        {
          ...common,
          source: Buffer.from(source).toString('latin1'),
          url,
          selection: [],
          mode: 'auto',
          allowSourceMismatch: true,
          skipIfNoChange: false,
          encrypt: options.passphrase !== undefined,
          compress: true,
          level: 6,
          volumeSize: 1024 * 1024,
          dryRun: false,
          sourceErrorsOk: false,
          tellEntries: false,
          printStatistics: true,
          progress: false,
          maxDelete: 50,
          allowMassDelete: true,
          sourceRetryForMs: 0,
          maxBlockLength: 2048,
          keys: quickKeys,
          ...more,
        },
        host,
      ),
    check: sample => check({ ...common, url, sample }, host),
    restore: (target, more = {}) =>
      restore(
        {
          ...common,
          url,
          target: Buffer.from(target).toString('latin1'),
          paths: [],
          force: false,
          dryRun: false,
          numericOwner: false,
          ownership: true,
          thaw: false,
          inPlace: false,
          deleteOthers: false,
          thawWait: false,
          ...more,
        },
        host,
      ),
  };
}
