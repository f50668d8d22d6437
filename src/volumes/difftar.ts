/**
 * Difftar members: the names that tell what happened to a path, and the way back from members to entries, joined
 * across members and volumes.
 * @see FORMAT.md, "Difftar"
 */

import type { Attributes, Entry } from '../entry.ts';
import { memberPath } from './member-path.ts';
import { damagedTar } from './tar-parse.ts';
import { createTarReader, type TarMember, type TarReader } from './tar-reader.ts';

export type DifftarKind = 'snapshot' | 'diff' | 'deleted';

/** @param part the number of the part, from 1, of a file that has several */
export function difftarName(
  kind: DifftarKind,
  { path, type }: Pick<Entry, 'path' | 'type'>,
  part?: number,
): string {
  if (part !== undefined) return `multivol_${kind}/${path === '' ? '.' : path}/${part}`;
  if (type !== 'directory' || kind === 'deleted') return `${kind}/${path}`;
  return `${kind}/${path === '' ? '.' : path}/`;
}

/** An entry as one set has it. */
export interface DifftarEntry {
  readonly path: string;
  readonly kind: DifftarKind;
  readonly attributes: Attributes;
  /** Whether it began in a part of the set that was not read. */
  readonly continuation: boolean;
}

/** Calls come in path order; `data` bytes are lent. */
export interface DifftarSink {
  begin(entry: DifftarEntry): void;
  data(bytes: Uint8Array): void;
  /** @param complete false if a gap in the volumes cut the entry */
  finish(complete: boolean): void;
}

/** The volumes of one set in order, each from `startVolume` to `endVolume`. */
export interface DifftarReader {
  startVolume(): void;
  /** @throws BackupError `damaged` */
  push(chunk: Uint8Array): void;
  /** @throws BackupError `damaged` */
  endVolume(): void;
  /** One or more volumes are left out, or one is given up in its middle. */
  skipVolumes(): void;
  end(): void;
}

const prefixes: Readonly<Record<string, { readonly kind: DifftarKind; readonly inParts: boolean }>> = {
  snapshot: { kind: 'snapshot', inParts: false },
  diff: { kind: 'diff', inParts: false },
  deleted: { kind: 'deleted', inParts: false },
  multivol_snapshot: { kind: 'snapshot', inParts: true },
  multivol_diff: { kind: 'diff', inParts: true },
};

interface Located {
  readonly path: string;
  readonly kind: DifftarKind;
  /** Undefined for an entry in one member. */
  readonly part: number | undefined;
}

export function createDifftarReader(sink: DifftarSink): DifftarReader {
  let tar: TarReader | undefined;
  /** The entry under way, whose next part may still come. */
  let open: Located | undefined;
  let afterGap = true; // what comes first may have begun in a volume that is not read

  const close = (complete: boolean) => {
    if (open) sink.finish(complete);
    open = undefined;
  };
  const tarSink = {
    member(member: TarMember) {
      const located = locate(member);
      const goesOn = open?.part !== undefined && located.part !== undefined && open.path === located.path;
      if (!goesOn) {
        close(true);
        const { path, kind, part } = located;
        const continuation = afterGap && part !== undefined && part !== 1;
        sink.begin({ path, kind, attributes: member, continuation });
      }
      open = located;
      afterGap = false;
    },
    data: (bytes: Uint8Array) => sink.data(bytes),
    memberEnd() {
      if (open?.part === undefined) close(true);
    },
  };
  return {
    startVolume() {
      tar = createTarReader(tarSink);
    },
    push(chunk) {
      tar!.push(chunk);
    },
    endVolume() {
      tar!.end();
      tar = undefined;
    },
    skipVolumes() {
      close(false);
      tar = undefined;
      afterGap = true;
    },
    end() {
      close(true);
    },
  };
}

function locate({ name }: TarMember): Located {
  const slash = name.indexOf('/');
  const prefix = slash < 0 ? undefined : prefixes[name.slice(0, slash)];
  if (!prefix) throw damagedTar('has a member whose name does not say what it is');
  const rest = name.slice(slash + 1);
  if (!prefix.inParts) return { path: memberPath(rest), kind: prefix.kind, part: undefined };
  const [, path, part] = /^(.*)\/(\d{1,15})$/s.exec(rest) ?? [];
  if (path === undefined) throw damagedTar('has a part of a file without its number');
  return { path: memberPath(path), kind: prefix.kind, part: Number(part) };
}
