/** The programs that are compared, each with encryption and else with its defaults, in folders of its own. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cliPath } from '../test/support/program.ts';
import type { Step } from './measure.ts';

export const operations = ['full', 'restore', 'unchanged', 'edited'] as const;
export type Operation = (typeof operations)[number];

/** Empty folders for one program and one round. */
export interface Space {
  readonly home: string;
  readonly repository: string;
  /** Where restore shall put the tree; it exists and is empty. */
  readonly target: string;
}

/** Makes the folders below `work`. */
export function makeSpace(work: string): Space {
  const space = {
    home: join(work, 'home'),
    repository: join(work, 'repository'),
    target: join(work, 'target'),
  };
  for (const dir of Object.values(space)) mkdirSync(dir, { recursive: true });
  for (const dir of ['tmp', 'gnupg', 'archive']) mkdirSync(join(space.home, dir), { mode: 0o700 });
  return space;
}

export interface Program {
  readonly name: string;
  /** In one line, or undefined if it is not installed. */
  version(): string | undefined;
  /** What has to run once before the first backup; not measured. */
  prepare(space: Space): readonly Step[];
  step(operation: Operation, source: string, space: Space): Step;
}

const PASSPHRASE = 'correct horse battery staple';

function environment(space: Space, secret: Record<string, string>): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: space.home,
    TMPDIR: join(space.home, 'tmp'),
    LC_ALL: 'C.UTF-8',
    ...secret,
  };
}

function firstLine(command: string, args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0]! : undefined;
}

/** duplicity and tsbackup take the same words. */
function duplicityLike(
  name: string,
  command: readonly [string, ...string[]],
  version: Program['version'],
): Program {
  return {
    name,
    version,
    prepare: () => [],
    step(operation, source, space) {
      const url = `file://${space.repository}`;
      const words = {
        full: ['full', source, url],
        unchanged: ['incremental', source, url],
        edited: ['incremental', source, url],
        restore: ['restore', url, space.target],
      }[operation];
      return {
        command: command[0],
        args: [...command.slice(1), ...words, '--archive-dir', join(space.home, 'archive')],
        env: environment(space, { PASSPHRASE, GNUPGHOME: join(space.home, 'gnupg') }),
        cwd: space.home,
      };
    },
  };
}

export const tsbackup = duplicityLike('tsbackup', [process.execPath, cliPath], () =>
  existsSync(cliPath) ? firstLine(process.execPath, [cliPath, '--version']) : undefined,
);

const duplicity = duplicityLike('duplicity', ['duplicity'], () => firstLine('duplicity', ['--version']));

const restic: Program = {
  name: 'restic',
  version: () => firstLine('restic', ['version']),
  prepare: space => [resticStep(['init', '--repository-version', '2'], space, space.home)],
  step: (operation, source, space) =>
    operation === 'restore'
      ? resticStep(['restore', 'latest', '--target', space.target], space, space.home)
      : resticStep(['backup', '.'], space, source),
};

function resticStep(words: string[], space: Space, cwd: string): Step {
  const env = environment(space, {
    RESTIC_PASSWORD: PASSPHRASE,
    RESTIC_REPOSITORY: space.repository,
    RESTIC_CACHE_DIR: join(space.home, 'cache'),
  });
  return { command: 'restic', args: words, env, cwd };
}

const borg: Program = {
  name: 'borg',
  version: () => firstLine('borg', ['--version']),
  prepare: space => [borgStep(['init', '--encryption', 'repokey-blake2'], space, space.home)],
  step(operation, source, space) {
    if (operation === 'restore') return borgStep(['extract', '::full'], space, space.target);
    return borgStep(['create', `::${operation}`, '.'], space, source);
  },
};

function borgStep(words: string[], space: Space, cwd: string): Step {
  const env = environment(space, {
    BORG_PASSPHRASE: PASSPHRASE,
    BORG_REPO: space.repository,
    BORG_BASE_DIR: space.home,
  });
  return { command: 'borg', args: words, env, cwd };
}

export const programs: readonly Program[] = [tsbackup, duplicity, restic, borg];
