/**
 * What lstat says of a file, as one short string: equal strings mean that nobody has touched the file. It sees what
 * the archive's whole seconds do not: an edit within the same second (nanoseconds), a restored mtime (ctime), another
 * file put in its place (inode). What was read in the very tick of the clock in which it was written may be written
 * again in that tick: such a file gets a `doubtful` fingerprint, which is that of none, so that it is read once more.
 */

/** The numbers of an lstat with `bigint: true`. */
export interface StatNumbers {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
}

/** @param stableInodes false on file systems that number their files anew at every mount (FAT, SMB, FUSE) */
export function fingerprintOf({ size, mtimeNs, ctimeNs, ino }: StatNumbers, stableInodes: boolean): string {
  const head = `${size.toString(36)}.${mtimeNs.toString(36)}.${ctimeNs.toString(36)}`;
  return stableInodes ? `${head}.${ino.toString(36)}` : head;
}

/** Of a file that may be written to without a trace: not to be told from others by what lstat says. */
export function doubtful(fingerprint: string): string {
  return `${fingerprint.slice(0, fingerprint.indexOf('.'))}.0.0`;
}

/** Bytes of the file that a fingerprint is of. */
export function sizeOfFingerprint(fingerprint: string): number {
  return Number.parseInt(fingerprint.slice(0, fingerprint.indexOf('.')), 36);
}

/** File system types (statfs) whose inode numbers do not last: SMB, SMB2, FUSE; FAT and exFAT, which have none. */
const passingInodes: ReadonlySet<number> = new Set([
  ...[0x517b, 0xff534d42, 0xfe534d42, 0x65735546],
  ...[0x4d44, 0x2011bab0],
]);

/** Whether inode numbers of a file system (type as statfs gives it) mean the same tomorrow. */
export function hasStableInodes(fileSystemType: number): boolean {
  return !passingInodes.has(fileSystemType >>> 0);
}
