/** Things are made under a temporary name beside their place and renamed when they are whole. */

import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { bytesOf } from '../bytes.ts';
import { systemCode } from '../errors.ts';
import { nameRefused, ofName, systemError } from './problem.ts';
import type { TargetFolder } from './target-folder.ts';

/** Something in the making. */
export interface Temporary {
  readonly folder: TargetFolder;
  /** ASCII. */
  readonly name: string;
}

let made = 0;
/** Which machine, and since which start of it: what a killed run has left there is told by the next one. */
let here: { readonly machine: string; readonly boot: string } | undefined;
/** Ends the name of a folder that is being filled; any other folder of such a name is somebody's that was set aside. */
export const FILLING = '-filling';
const temporaryName = new RegExp(`^\\.tsbackup-([0-9a-f]{8})-([0-9a-f]{8})-(\\d{1,10})-\\d+(${FILLING})?$`);

/**
 * Makes something under a free temporary name; one may be taken by what a killed run left.
 * @param make throws EEXIST for a name that is taken
 * @param ending of the name
 */
export function makeTemporary<T>(
  folder: TargetFolder,
  make: (place: Buffer, name: string) => T,
  ending = '',
): Temporary & { readonly made: T } {
  for (;;) {
    const { machine, boot } = findHere();
    const name = `.tsbackup-${machine}-${boot}-${process.pid}-${made++}${ending}`;
    try {
      return { folder, name, made: make(bytesOf(`${folder.base}/${name}`), name) };
    } catch (error) {
      if (systemCode(error) === 'EEXIST') continue;
      removeTemporary({ folder, name }); // some file systems leave something where they fail
      throw error;
    }
  }
}

/** Where it is for now. */
export function placeOfTemporary({ folder, name }: Temporary): string {
  return `${folder.base}/${name}`;
}

/**
 * Gives the real name. An empty directory there makes room; one with content stays, and this throws ENOTEMPTY.
 * @param onSetAside one with content makes room as well: it gets this name beside
 * @throws a system error; one that says so for a name that the file system does not take
 */
export function putInPlace(
  temporary: Temporary,
  name: string,
  onSetAside?: ((name: string) => void) | undefined,
): void {
  const from = bytesOf(placeOfTemporary(temporary));
  const to = bytesOf(`${temporary.folder.base}/${name}`);
  try {
    renameSync(from, to);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' && existsSync(from)) throw nameRefused(code);
    if (code !== 'EISDIR') throw ofName(error);
    makeRoom(temporary.folder, to, onSetAside);
    renameSync(from, to);
  }
}

function makeRoom(folder: TargetFolder, place: Buffer, onSetAside?: (name: string) => void): void {
  try {
    rmdirSync(place);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) throw error;
    if (!onSetAside) throw systemError('ENOTEMPTY', 'a folder with content is in its place');
    const aside = makeTemporary(folder, free => mkdirSync(free));
    const free = bytesOf(placeOfTemporary(aside));
    try {
      renameSync(place, free);
    } catch (failure) {
      rmdirSync(free);
      throw failure;
    }
    onSetAside(aside.name);
  }
}

/** Never throws: what made it superfluous is reported, and a leftover is harmless. */
export function removeTemporary(temporary: Temporary): void {
  try {
    unlinkSync(bytesOf(placeOfTemporary(temporary)));
  } catch {}
}

/**
 * Whether a name is of something that a run of this machine was making when it was killed. What another machine, or
 * another container, is perhaps making in the same folder is none.
 */
export function isLeftover(name: string): boolean {
  const [, machine, boot, pid] = temporaryName.exec(name) ?? [];
  if (machine !== findHere().machine) return false;
  return boot !== findHere().boot || !isRunning(Number(pid));
}

/**
 * Removes leftovers from a folder of which the next run makes use; but a folder only if it was being filled, as any other
 * one may be somebody's that was set aside. Never throws: what is left over is harmless.
 */
export function removeLeftovers(folder: string): void {
  try {
    const entries = opendirSync(bytesOf(folder), { encoding: 'latin1' });
    try {
      for (let entry = entries.readSync(); entry; entry = entries.readSync()) {
        if (!isLeftover(entry.name)) continue;
        const place = bytesOf(`${folder}/${entry.name}`);
        if (!lstatSync(place).isDirectory()) unlinkSync(place);
        else if (entry.name.endsWith(FILLING)) rmSync(place, { recursive: true });
      }
    } finally {
      entries.closeSync();
    }
  } catch {}
}

function findHere() {
  if (here) return here;
  // Process numbers count within one of these; a container has its own, and may have the machine's other names.
  const counted = attempt(() => readlinkSync('/proc/self/ns/pid'));
  const machine = attempt(() => readFileSync('/etc/machine-id', 'latin1'));
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'));
  here = { machine: tag(`${hostname()}\n${machine}\n${counted}`), boot: tag(boot) };
  return here;
}

const tag = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
