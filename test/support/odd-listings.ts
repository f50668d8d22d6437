/**
 * Loaded before the program (`node --import`), has folders listed as some file systems do, which ODD_LISTINGS says:
 * `untyped` tells no entry's type, so that Node looks at each for one and fails where it can't put the path together;
 * `twice` gives each name twice.
 */

import fs, { type PathLike } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Listing = (path: PathLike, options?: unknown) => unknown;

const oddity = process.env.ODD_LISTINGS;
if (oddity === 'untyped') refuseTypes();
if (oddity === 'twice') listTwice();

function refuseTypes(): void {
  const { opendirSync } = fs;
  const { opendir } = fs.promises;
  const isBytes = (options: unknown) => (options as { encoding?: string } | undefined)?.encoding === 'buffer';
  const refuse = () => {
    throw new TypeError('The "path" argument must be of type string or an instance of Buffer');
  };
  fs.opendirSync = (path, options) => {
    const folder = opendirSync(path, options);
    if (Buffer.isBuffer(path) !== isBytes(options)) folder.readSync = refuse;
    return folder;
  };
  fs.promises.opendir = async (path, options) => {
    const folder = await opendir(path, options);
    if (Buffer.isBuffer(path) === isBytes(options)) return folder;
    return Object.assign(folder, { read: async () => refuse(), [Symbol.asyncIterator]: refuse });
  };
  syncBuiltinESMExports();
}

function listTwice(): void {
  const twice = (names: unknown) => (names as unknown[]).flatMap(name => [name, name]);
  const readdirSync = fs.readdirSync as Listing;
  const readdir = fs.promises.readdir as Listing;
  Object.assign(fs, { readdirSync: (...given: Parameters<Listing>) => twice(readdirSync(...given)) });
  Object.assign(fs.promises, {
    readdir: async (...given: Parameters<Listing>) => twice(await readdir(...given)),
  });
  syncBuiltinESMExports();
}
