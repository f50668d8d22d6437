/**
 * Mails that could not be sent, kept for the next run: a file each, named so that the oldest sorts first. A file
 * becomes visible when it is whole, and goes when its mail is sent.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BackupError, messageOf, systemCode } from '../errors.ts';
import { replaceFile } from '../files/whole-file.ts';
import type { Letter } from './mail.ts';

/** What waits longer is not worth an endless queue. */
const KEPT = 50;

export interface Outbox {
  /** @param now seconds since 1970 @throws BackupError `local-io` */
  keep(letter: Letter, now: number): void;
  /** Sets aside what can't be read. @returns each one's time, seconds since 1970, and where what is left of it is */
  setAside(): readonly { readonly time: number; readonly path: string }[];
  /** Oldest first; what can't be read is set aside. */
  waiting(): readonly { readonly letter: Letter; sent(): void }[];
}

/** @param folder need not exist */
export function openOutbox(folder: string): Outbox {
  const names = (): string[] => {
    try {
      return readdirSync(folder)
        .filter(name => /^\d{13}-\d+\.json$/.test(name))
        .sort();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw new BackupError('local-io', `can't read the outbox ${folder}: ${messageOf(error)}`);
    }
  };
  const read = () =>
    names().map(name => {
      const path = join(folder, name);
      return { name, path, letter: letterIn(path) };
    });
  const setAside = () =>
    read().flatMap(({ name, path, letter }) => {
      if (letter) return [];
      const aside = `${path}.damaged`;
      try {
        renameSync(path, aside);
      } catch {
        return []; // on a disk that is read-only; the others are sent all the same
      }
      return [{ time: Number.parseInt(name, 10) / 1000, path: aside }];
    });
  return {
    keep(letter, now) {
      const stamp = String(Math.floor(now * 1000)).padStart(13, '0');
      const path = join(folder, `${stamp}-${process.pid}.json`);
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        replaceFile(path, JSON.stringify(letter), 0o600);
      } catch (error) {
        throw new BackupError('local-io', `can't keep the mail in ${folder}: ${messageOf(error)}`);
      }
      for (const name of names().slice(0, -KEPT)) rmSync(join(folder, name), { force: true });
    },
    setAside,
    waiting() {
      setAside();
      return read().flatMap(({ path, letter }) =>
        letter ? [{ letter, sent: () => rmSync(path, { force: true }) }] : [],
      );
    },
  };
}

function letterIn(path: string): Letter | undefined {
  try {
    const letter = JSON.parse(readFileSync(path, 'utf8')) as Partial<Letter>;
    const { subject, body, from, to } = letter;
    const isText = [subject, body, from].every(text => typeof text === 'string');
    return isText && Array.isArray(to) && to.every(one => typeof one === 'string')
      ? (letter as Letter)
      : undefined;
  } catch {
    return undefined;
  }
}
