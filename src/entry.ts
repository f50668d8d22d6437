/** What the archive knows of one thing in a tree, apart from its content. */

export type EntryType = 'file' | 'directory' | 'symlink' | 'fifo' | 'chardev' | 'blockdev';

export interface Attributes {
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky (07777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes as a latin1 string; empty where the number has no name. */
  readonly uname: string;
  readonly gname: string;
  /** Whole seconds since 1970, floored; negative times are stored as 0 (FORMAT.md, "Tar members"). */
  readonly mtimeSeconds: number;
  /** Symlinks: the target's bytes as a latin1 string; else ''. */
  readonly linkname: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Attributes with the place in the tree: `path` as bytes.ts says ('' is the root). */
export interface Entry extends Attributes {
  readonly path: string;
}
