/** For what is loaded before the program: names that a restore gives, as a file system takes them. */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Call = (...given: unknown[]) => unknown;

/** @param change of the last part of `/proc/PID/fd/N/Name`, as a restore addresses all that it makes */
export function changeNames(change: (name: string) => string): void {
  const changed = (path: unknown) => {
    const text = Buffer.isBuffer(path) ? path.toString('latin1') : '';
    const [, folder, name] = /^(\/proc\/\d+\/fd\/\d+\/)(.*)$/s.exec(text) ?? [];
    return name === undefined ? path : Buffer.from(folder + change(name), 'latin1');
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
    functions[name] = (...given) => original(...given.map(changed));
  }
  syncBuiltinESMExports();
}
