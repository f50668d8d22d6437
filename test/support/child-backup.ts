/** What backup-child.ts is told, and how it answers. */

export interface ChildBackup {
  /** As createTestArchive takes it. */
  readonly base: string;
  readonly source: string;
  readonly time: number;
  readonly mode: 'full' | 'incremental' | 'auto';
  readonly volumeSize: number;
  readonly cores: number;
  readonly passphrase?: string;
  readonly url?: string;
  readonly endpointUrl?: string;
}

/** Something that is no BackupError: a fault that nobody foresaw. */
export const UNFORESEEN = 99;
