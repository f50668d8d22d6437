/** The first difference between an entry of the archive and the local thing, in the words of duplicity's verify. */

import { displayPath } from '../bytes.ts';
import type { Entry, EntryType } from '../entry.ts';
import type { Owner } from './attributes.ts';

/** duplicity's words for types. */
export const typeWords: Readonly<Record<EntryType, string>> = {
  file: 'reg',
  directory: 'dir',
  symlink: 'sym',
  fifo: 'fifo',
  chardev: 'chr',
  blockdev: 'blk',
};

/**
 * Compares everything but content: type; then of a symlink its target alone, of a device owner, mode and numbers, of
 * the rest owner, mode and time in seconds.
 * @param owner whose the archive's entry would be on this machine
 * @returns one line for a person, or undefined when they are equal
 */
export function describeDifference(local: Entry, archived: Entry, owner: Owner): string | undefined {
  const name = displayPath(archived.path);
  const differ = (what: string, is: string, expected: string) =>
    is === expected ? undefined : `${what} ${is}, expected ${expected}`;

  if (local.type !== archived.type) {
    return `File ${name} has type ${typeWords[local.type]}, expected ${typeWords[archived.type]}`;
  }
  if (archived.type === 'symlink') {
    if (local.linkname === archived.linkname) return undefined;
    const [is, expected] = [local.linkname, archived.linkname].map(displayLink);
    return `Symlink ${name} points to ${is}, expected ${expected}`;
  }
  const permissions = differ(
    `File ${name} has permissions`,
    `${local.uid}:${local.gid} ${(local.mode & 0o7777).toString(8)}`,
    `${owner.uid}:${owner.gid} ${(archived.mode & 0o7777).toString(8)}`,
  );
  if (permissions !== undefined) return permissions;
  if (archived.type === 'chardev' || archived.type === 'blockdev') {
    return differ(`Device file ${name} has numbers`, numbersOf(local), numbersOf(archived));
  }
  if (local.mtimeSeconds === archived.mtimeSeconds) return undefined;
  const [is, expected] = [local, archived].map(entry => formatTime(entry.mtimeSeconds));
  return `File ${name} has mtime ${is}, expected ${expected}`;
}

function displayLink(target: string): string {
  return target === '' ? "''" : displayPath(target);
}

function numbersOf(device: Entry): string {
  return `(${device.devMajor}, ${device.devMinor})`;
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** C's asctime in local time, the day padded with a blank: `Sat Feb  2 00:00:00 2002`. */
function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (n: number) => String(n).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const day = String(date.getDate()).padStart(2, ' ');
  return `${days[date.getDay()]} ${months[date.getMonth()]} ${day} ${clock} ${date.getFullYear()}`;
}
