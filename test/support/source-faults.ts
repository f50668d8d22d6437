/**
 * Loaded before the program (`node --import`), lets calls of node:fs fail as a network drive makes them fail. What
 * happens is told by a file, so that a test can let the drive go and come back while the program runs.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** The file that SOURCE_FAULTS names holds this as JSON; without the file all is well. */
export interface SourceFault {
  /** Such as EIO; `HANG`: the call never comes back. */
  readonly code: string;
  /** Calls that fail are those on paths that hold this text. */
  readonly match: string;
  /** It begins with the first call on a path that holds this text; at once if absent. */
  readonly from?: string;
  /** Only these calls fail; all if absent. */
  readonly calls?: readonly string[];
}

/** Node has no name for some errors, ESTALE among them. */
const names: ReadonlySet<string> = new Set([...getSystemErrorMap().values()].map(([name]) => name));

const control = process.env.SOURCE_FAULTS;
if (control !== undefined) install(control);

function install(file: string): void {
  const { readFileSync, openSync, writeFileSync } = fs;
  const { open } = fs.promises;
  const pipe = `${file}.fifo`; // nobody writes to it: who opens it waits for ever
  const paths = new Map<number, string>();
  let begun = false;
  let busy = false; // what we call ourselves is left alone

  const readIfThere = (path: string): string | undefined => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  };
  /** Throws what the call fails with. @returns whether it is to hang instead */
  const fault = (call: string, path: string): boolean => {
    if (busy) return false;
    busy = true;
    try {
      const setting = readIfThere(file);
      if (setting === undefined) return false;
      const { code, match, from, calls } = JSON.parse(setting) as SourceFault;
      begun ||= from === undefined || path.includes(from);
      if (!begun || !path.includes(match) || (calls && !calls.includes(call))) return false;
      if (code === 'HANG') {
        writeFileSync(`${file}.hung`, '');
        return true;
      }
      const errno = -(constants.errno as Readonly<Record<string, number>>)[code]!;
      const told = names.has(code) ? { code } : { code: `Unknown system error ${errno}`, errno };
      throw Object.assign(new Error(`${told.code}: made by a test, ${call} '${path}'`), {
        ...told,
        syscall: call,
      });
    } finally {
      busy = false;
    }
  };
  const text = (path: unknown) => {
    if (typeof path === 'number') return paths.get(path) ?? '';
    return Buffer.from(path instanceof URL ? path.pathname : (path as string)).toString('latin1');
  };

  type Call = (...given: unknown[]) => unknown;
  const patch = (holder: object, names: readonly string[], isAsync: boolean) => {
    const functions = holder as Record<string, Call>;
    for (const name of names) {
      const original = functions[name]!;
      functions[name] = (...given) => {
        if (!isAsync) {
          if (fault(name, text(given[0]))) openSync(pipe, 'r');
          const result = original(...given);
          if (name === 'openSync') paths.set(result as number, text(given[0]));
          return result;
        }
        return (async () => {
          if (fault(name, text(given[0]))) await open(pipe, 'r');
          return original(...given);
        })();
      };
    }
  };
  const calls = ['openSync', 'readSync', 'fstatSync', 'lstatSync', 'statSync', 'readdirSync', 'readlinkSync'];
  patch(fs, [...calls, 'opendirSync', 'statfsSync'], false);
  patch(fs.promises, ['stat', 'opendir', 'statfs', 'open', 'rename', 'unlink'], true);
  syncBuiltinESMExports();
}
