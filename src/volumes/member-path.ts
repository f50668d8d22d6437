import { damagedTar } from './tar-parse.ts';

/**
 * The path in a member's name, behind its prefix: empty and `.` components do not count, and none leads upwards.
 * @throws BackupError `damaged`
 */
export function memberPath(name: string): string {
  if (isPlain(name)) return name;
  const parts = name.split('/').filter(part => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0'))
    throw damagedTar('has a path that leads out of the backup');
  return parts.join('/');
}

/** Whether there is nothing to take out, which is nearly always so. */
function isPlain(name: string): boolean {
  return !/(^|\/)(\.{0,2})(\/|$)|\0/.test(name);
}
