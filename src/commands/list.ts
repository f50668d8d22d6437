/** list-current-files: what a state of the archive holds, from the signatures alone. */

import { bytesOf, displayPath, pathFields } from '../bytes.ts';
import type { Attributes } from '../entry.ts';
import { exitStatus } from '../errors.ts';
import { chainFor, setsFor } from '../manifest/chains.ts';
import { asctime, parseTimeArgument } from '../manifest/time.ts';
import type { Item } from '../report.ts';
import { openArchive } from './archive.ts';
import { currentRecords } from './current-records.ts';
import type { CommonOptions, Host } from './host.ts';
import { reportOrphaned, reportTooEarly, reportTooLate } from './replaying.ts';
import { noBackup, requireTarget } from './require-target.ts';

export interface ListRequest extends CommonOptions {
  readonly url: string;
  readonly time?: string | undefined;
}

const NEWLINE = Buffer.from('\n');

interface ListedRecord {
  readonly path: string;
  readonly attributes: Attributes;
}

export async function list(request: ListRequest, host: Host): Promise<number> {
  const archive = await openArchive(request.url, request, host);
  try {
    await requireTarget(archive.storage);
    const time =
      request.time === undefined ? Number.POSITIVE_INFINITY : parseTimeArgument(request.time, host.now());
    const collection = await archive.readableCollection();
    const chain = chainFor(collection.chains, time);
    if (!chain) throw noBackup(archive.storage, collection);
    reportTooEarly(chain, time, host);
    reportTooLate(collection, time, host);
    const sets = setsFor(chain, time);
    const isNewest = !reportOrphaned(collection, sets.at(-1)!, time, host);
    for await (const records of currentRecords(archive, sets, host.signal)) {
      await host.print(
        () => Buffer.concat(records.flatMap(lineOf)),
        () => records.map(itemOf),
      );
    }
    return isNewest ? exitStatus.done : exitStatus.failed;
  } finally {
    await archive.close();
  }
}

/** Paths go out as the bytes that they are, so that other programs can read them. */
function lineOf({ path, attributes }: ListedRecord): Buffer[] {
  const name = path === '' ? Buffer.from(displayPath(path)) : bytesOf(path);
  return [Buffer.from(`${asctime(attributes.mtimeSeconds)} `), name, NEWLINE];
}

function itemOf({ path, attributes }: ListedRecord): Item {
  const { type: kind, mode, mtimeSeconds: mtime, uid, gid, uname, gname, linkname } = attributes;
  return {
    ...{ type: 'entry', ...pathFields(path), kind, mode, mtime, uid, gid },
    ...{ user: displayPath(uname), group: displayPath(gname) },
    ...(kind === 'symlink' && { target: displayPath(linkname) }),
  };
}
