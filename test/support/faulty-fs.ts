/**
 * Loaded before a program (`node --import`): lets the Nth call to the file system below certain folders fail, fall
 * short or kill the process. What to do stands in TSBACKUP_TEST_FAULT as JSON. The number of calls is the last line on
 * stderr, so that a sweep knows how far to go.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

export interface Fault {
  /** The call that it strikes, counting from 1; 0 strikes none. */
  readonly at: number;
  readonly kind: FaultKind;
  /** Folders whose calls count. */
  readonly under: readonly string[];
}

export type FaultKind = 'EIO' | 'ENOSPC' | 'EACCES' | 'ESTALE' | 'ETIMEDOUT' | 'short' | 'kill';

export const faultKinds: readonly FaultKind[] = [
  'EIO',
  'ENOSPC',
  'EACCES',
  'ESTALE',
  'ETIMEDOUT',
  'short',
  'kill',
];

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;
type Functions = Record<string, AnyFunction>;

const pathCalls = [
  ...['open', 'stat', 'lstat', 'readdir', 'opendir', 'readlink', 'rename', 'unlink', 'rm', 'mkdir', 'chmod'],
  ...['statfs', 'realpath'],
];

const setting = process.env.TSBACKUP_TEST_FAULT;
if (setting !== undefined) install(JSON.parse(setting) as Fault);

function install({ at, kind, under }: Fault): void {
  let calls = 0;
  const descriptors = new Set<number>();
  process.on('exit', () => void fs.writeSync(2, `${calls} calls\n`));

  const isOurs = (target: unknown): boolean => {
    if (typeof target === 'number') return descriptors.has(target);
    if (typeof target !== 'string' && !Buffer.isBuffer(target)) return false;
    const path = target.toString();
    return under.some(folder => path.startsWith(folder));
  };
  /** Whether this call is the one; an error is thrown here. */
  const strikes = (call: string): boolean => {
    if (++calls !== at) return false;
    if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
    if (kind === 'short') return true;
    throw Object.assign(new Error(`${kind}: injected into ${call}`), { code: kind, syscall: call });
  };
  /** Less of what is read or written: the byte count stands among the arguments of the call. */
  const shortened = (args: unknown[]): unknown[] => {
    if (Array.isArray(args[1])) return args;
    const index = args.findIndex((arg, position) => position >= 2 && typeof arg === 'number' && arg > 1);
    const last = typeof args[3] === 'number' ? 3 : index;
    return args.map((arg, position) => (position === last ? Math.ceil((arg as number) / 2) : arg));
  };

  const sync = fs as unknown as Functions;
  for (const name of pathCalls.map(call => `${call}Sync`)) {
    const original = sync[name]!;
    sync[name] = (...args) => {
      if (isOurs(args[0])) strikes(name);
      const result = original.apply(fs, args);
      if (name === 'openSync' && isOurs(args[0])) descriptors.add(result as number);
      return result;
    };
  }
  for (const name of ['readSync', 'writeSync', 'fsyncSync', 'fstatSync', 'ftruncateSync']) {
    const original = sync[name]!;
    sync[name] = (...args) =>
      original.apply(
        fs,
        isOurs(args[0]) && strikes(name) && /read|write/.test(name) ? shortened(args) : args,
      );
  }
  const close = sync.closeSync!;
  sync.closeSync = fd => {
    descriptors.delete(fd as number);
    return close.call(fs, fd);
  };

  const promises = fs.promises as unknown as Functions;
  for (const name of pathCalls) {
    const original = promises[name];
    if (!original) continue;
    promises[name] = async (...args) => {
      if (isOurs(args[0])) strikes(name);
      const result = await original.apply(fs.promises, args);
      if (name === 'open' && isOurs(args[0])) watchHandle(result as Functions, strikes, shortened);
      return result;
    };
  }

  // What streams use.
  for (const name of ['open', 'read', 'close'] as const) {
    const original = sync[name]!;
    sync[name] = (...args) => {
      const callback = args.at(-1) as AnyFunction;
      try {
        if (name !== 'close' && isOurs(args[0])) strikes(name);
      } catch (error) {
        queueMicrotask(() => callback(error));
        return undefined;
      }
      if (name !== 'open' || !isOurs(args[0])) return original.apply(fs, args);
      return original.call(fs, ...args.slice(0, -1), (error: unknown, fd: number) => {
        if (!error) descriptors.add(fd);
        callback(error, fd);
      });
    };
  }
  syncBuiltinESMExports();
}

function watchHandle(
  handle: Functions,
  strikes: (call: string) => boolean,
  shortened: (args: unknown[]) => unknown[],
): void {
  for (const name of ['read', 'write', 'sync', 'datasync', 'truncate', 'stat'] as const) {
    const original = handle[name]!;
    handle[name] = async (...args) => {
      const isShort = strikes(`FileHandle.${name}`) && (name === 'read' || name === 'write');
      // The handle's calls lack the descriptor in front.
      return original.apply(handle, isShort ? shortened([0, ...args]).slice(1) : args);
    };
  }
}
