/** One backup in a process of its own, which may be killed: `node backup-child.js JSON`. Its exit status is the program's. */

import { BackupError, messageOf, traitsOf } from '../../src/errors.ts';
import { createTestArchive } from './archive.ts';
import { type ChildBackup, UNFORESEEN } from './child-backup.ts';

const { base, source, time, mode, volumeSize, ...host } = JSON.parse(process.argv[2]!) as ChildBackup;
const archive = createTestArchive(base, { ...host, now: time });
try {
  process.exitCode = await archive.backup(source, { mode, volumeSize, allowMassDelete: false });
} catch (error) {
  process.exitCode = error instanceof BackupError ? traitsOf(error.code).exit : UNFORESEEN;
  const detail = error instanceof BackupError ? messageOf(error) : (error as Error).stack;
  process.stderr.write(`${detail}\n`);
}
