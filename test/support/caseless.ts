/** Loaded before the program (`node --import`): what is opened by descriptor and name is restored regardless of case. */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Call = (...given: unknown[]) => unknown;

/** `/proc/PID/fd/N/Name`, as a restore addresses all that it makes. */
const caseless = (path: unknown) => {
  const text = Buffer.isBuffer(path) ? path.toString('latin1') : '';
  return /^\/proc\/\d+\/fd\//.test(text) ? Buffer.from(text.toLowerCase(), 'latin1') : path;
};

const functions = fs as unknown as Record<string, Call>;
for (const name of [
  'openSync',
  'lstatSync',
  'mkdirSync',
  'renameSync',
  'unlinkSync',
  'rmdirSync',
  'existsSync',
]) {
  const original = functions[name]!;
  functions[name] = (...given) => original(...given.map(caseless));
}
syncBuiltinESMExports();
