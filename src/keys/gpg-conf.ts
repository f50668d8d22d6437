/** Keys that gpg.conf adds to all recipients: gpg does so with whatever duplicity has it encrypt. */

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { GpgOptions } from './gpg.ts';
import { type KeyName, parseKeyName } from './key-source.ts';

export interface KeysOfGpgConf {
  /** Of `encrypt-to`. */
  readonly visible: readonly KeyName[];
  /** Of `hidden-encrypt-to`. */
  readonly hidden: readonly KeyName[];
}

/** @throws BackupError `usage` for names that can't be keys */
export async function keysOfGpgConf(gpg: GpgOptions): Promise<KeysOfGpgConf> {
  const found = { visible: [] as KeyName[], hidden: [] as KeyName[] };
  if (gpg.encryptTo === false) return found;
  for (const line of (await readConf(gpg)).split('\n')) {
    const [, option, value] = /^\s*((?:no-|hidden-)?encrypt-to)(?:\s+"?(.*?)"?)?\s*$/.exec(line) ?? [];
    if (option === 'no-encrypt-to') return { visible: [], hidden: [] };
    if (value === undefined) continue;
    const names = option === 'encrypt-to' ? found.visible : found.hidden;
    names.push(parseKeyName(value, `${option} in gpg.conf`));
  }
  return found;
}

/** Empty if it can't be read: gpg, which was asked for keys before, would have complained. */
async function readConf(gpg: GpgOptions): Promise<string> {
  const words = gpg.arguments ?? [];
  if (words.includes('--no-options')) return '';
  const at = words.lastIndexOf('--options');
  const home = gpg.homedir?.replace(/^~(?=\/|$)/, homedir()) ?? process.env.GNUPGHOME;
  const path = at < 0 ? join(home || join(homedir(), '.gnupg'), 'gpg.conf') : words[at + 1]!;
  return readFile(path, 'utf8').catch(() => '');
}
