/**
 * The catalog's tables. A catalog is an index of one chain, never the truth: it can be deleted at any moment and is
 * made again from the sigtars. `current` is the tree as of the last set, `history` what was superseded; both are keyed
 * by folder and name, so a folder's content is one range scan in walk order (SQLite compares UTF-8 bytes, and a latin1
 * string's code points keep byte order in UTF-8).
 */

/** Bytes `tsb1`; tells our files from any other database. */
export const APPLICATION_ID = 0x74736231;

/** Raised with every change of the tables; a catalog of another version is made anew. */
export const SCHEMA_VERSION = 2;

const attributes = `
  parent INTEGER NOT NULL,
  name TEXT NOT NULL,
  since INTEGER NOT NULL,     -- set that stored this version
  folder INTEGER,             -- directories: what their content has as parent
  traits INTEGER NOT NULL,    -- type, mode, owner, device: see traits.ts
  mtime INTEGER NOT NULL,     -- whole seconds as the archive has them
  linkname TEXT,              -- symlinks
  size INTEGER,               -- bytes; NULL where the version was learnt from a sigtar, which does not say it
  stat TEXT,                  -- fingerprint of what lstat said (see fingerprint.ts); NULL likewise
  signature_offset INTEGER,   -- files: where in the tar bytes of its set's sigtar the signature's member begins
`;

export const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE sets (
  id INTEGER PRIMARY KEY,
  time INTEGER NOT NULL UNIQUE,
  complete INTEGER NOT NULL
);
-- What many entries have in common: see traits.ts.
CREATE TABLE traits (
  id INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  mode INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  gid INTEGER NOT NULL,
  uname TEXT NOT NULL,
  gname TEXT NOT NULL,
  major INTEGER NOT NULL,
  minor INTEGER NOT NULL,
  UNIQUE (type, mode, uid, gid, uname, gname, major, minor)
);
CREATE TABLE current (${attributes}  PRIMARY KEY (parent, name)
) WITHOUT ROWID;
CREATE TABLE history (${attributes}  until INTEGER NOT NULL,     -- set that superseded or deleted it
  PRIMARY KEY (parent, name, since)
) WITHOUT ROWID;
-- Independent pieces of the cached sigtars: each can be inflated without what stands before it.
CREATE TABLE pieces (
  signature_set INTEGER NOT NULL,
  plain_offset INTEGER NOT NULL,
  gzip_offset INTEGER NOT NULL,
  gzip_end INTEGER NOT NULL,
  PRIMARY KEY (signature_set, plain_offset)
) WITHOUT ROWID;
`;

/** Columns of `current` and `history` in the order of the tables. */
export const columns = [
  'parent',
  'name',
  'since',
  'folder',
  'traits',
  'mtime',
  'linkname',
  'size',
  'stat',
  'signature_offset',
] as const;
