/** Drives our own program as a user does: the compiled `tsbackup`, in a home and cache of its own. */

import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Running, type RunOptions, type RunResult, startProgram } from './processes.ts';
import { type Scope, tempDir } from './temp-dir.ts';

/** `dist/bin/cli.js`, which is what people run; run it with `process.execPath`. */
export const cliPath = fileURLToPath(new URL('../../bin/cli.js', import.meta.url));

export interface ProgramOptions extends Partial<RunOptions> {
  readonly passphrase?: string;
  /** Options for Node itself. */
  readonly nodeArgs?: readonly string[];
}

export interface Program {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs to the end, whatever its status. */
  run(args: readonly string[], options?: ProgramOptions): Promise<RunResult>;
  /** For tests that talk to it, or kill it, on its way. */
  start(args: readonly string[], options?: ProgramOptions): Running;
}

/**
 * A tsbackup that has never run before; its cache lives as long as the test.
 * @param uid the user it will run as, if not as us; owns the home
 */
export function createProgram(t: Scope, uid?: number): Program {
  const base = tempDir(t);
  const home = join(base, 'home');
  mkdirSync(home, { mode: 0o700 });
  if (uid !== undefined) {
    chownSync(base, uid, uid);
    chownSync(home, uid, uid);
  }
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: home,
    XDG_CACHE_HOME: join(home, '.cache'),
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_STATE_HOME: join(home, '.local', 'state'),
    TSBACKUP_SYSTEM_CONFIG: join(home, 'etc'), // whoever tests may have profiles of their own
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
  };

  function start(args: readonly string[], options: ProgramOptions = {}): Running {
    const { passphrase, nodeArgs = [], env: extra = {}, ...rest } = options;
    const secret = passphrase === undefined ? {} : { PASSPHRASE: passphrase };
    return startProgram(process.execPath, [...nodeArgs, cliPath, ...args], {
      cwd: home,
      ...(uid === undefined ? {} : { uid }),
      ...rest,
      env: { ...env, ...secret, ...extra },
    });
  }
  return { home, env, start, run: (args, options) => start(args, options).done };
}
