/** Drives the real duplicity as a black box, in a home, archive cache and GnuPG folder of its own. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  expectStatus,
  type Running,
  type RunOptions,
  type RunResult,
  runProgram,
  startProgram,
} from './processes.ts';
import { type Scope, tempDir } from './temp-dir.ts';

export interface DuplicityOptions extends Partial<RunOptions> {
  /** PASSPHRASE; without it the archive is not encrypted. */
  readonly passphrase?: string;
  /** More options for duplicity, for example `['--volsize', '1']`. */
  readonly args?: readonly string[];
}

export interface Duplicity {
  /** For what needs the private GnuPG home too, such as making keys with gpg. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it keeps its archive cache. */
  readonly archiveDir: string;
  /** Any command line, whatever its status. */
  run(args: readonly string[], options?: DuplicityOptions): Promise<RunResult>;
  /** The same, for tests that kill it on its way. */
  start(args: readonly string[], options?: DuplicityOptions): Running;
  /** These fail unless duplicity ends with status 0. */
  full(source: string, url: string, options?: DuplicityOptions): Promise<RunResult>;
  incremental(source: string, url: string, options?: DuplicityOptions): Promise<RunResult>;
  restore(url: string, dir: string, options?: DuplicityOptions): Promise<RunResult>;
  verify(url: string, dir: string, options?: DuplicityOptions): Promise<RunResult>;
  collectionStatus(url: string, options?: DuplicityOptions): Promise<RunResult>;
  listCurrentFiles(url: string, options?: DuplicityOptions): Promise<RunResult>;
}

/**
 * A duplicity that has never run before; its cache lives as long as the test.
 *
 * @param gpgConf its gpg.conf; by default gpg counts to 65,536 for a key: its own count takes it half a second for each
 *   object, most of what an encrypted chain costs
 */
export function createDuplicity(t: Scope, gpgConf = 's2k-count 65536\n'): Duplicity {
  const home = tempDir(t);
  const folder = (name: string) => {
    const path = join(home, name);
    mkdirSync(path, { mode: 0o700 });
    return path;
  };
  const archiveDir = folder('archive');
  const gnupg = folder('gnupg');
  writeFileSync(join(gnupg, 'gpg.conf'), gpgConf);
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: home,
    GNUPGHOME: gnupg,
    TMPDIR: folder('tmp'),
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
  };
  t.after(async () => {
    await runProgram('gpgconf', ['--kill', 'all'], { env }); // agents would outlive us otherwise
  });

  const start = (args: readonly string[], options: DuplicityOptions = {}) => {
    const { passphrase, args: more = [], env: extra = {}, ...rest } = options;
    const secret = passphrase === undefined ? {} : { PASSPHRASE: passphrase };
    const plain = passphrase === undefined && !args.includes('--no-encryption') && keyless(more);
    const all = [...args, '--archive-dir', archiveDir, ...(plain ? ['--no-encryption'] : []), ...more];
    return startProgram('duplicity', all, { cwd: home, ...rest, env: { ...env, ...secret, ...extra } });
  };
  const run = (args: readonly string[], options?: DuplicityOptions) => start(args, options).done;
  const must = async (words: string[], options?: DuplicityOptions) => expectStatus(await run(words, options));

  return {
    env,
    archiveDir,
    run,
    start,
    full: (source, url, options) => must(['full', source, url], options),
    incremental: (source, url, options) => must(['incremental', source, url], options),
    restore: (url, dir, options) => must(['restore', url, dir], options),
    verify: (url, dir, options) => must(['verify', url, dir], options),
    collectionStatus: (url, options) => must(['collection-status', url], options),
    listCurrentFiles: (url, options) => must(['list-current-files', url], options),
  };
}

function keyless(args: readonly string[]): boolean {
  return !args.some(arg => /^--(hidden-)?(encrypt|sign|encrypt-sign)-key/.test(arg));
}
