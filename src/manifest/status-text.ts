/**
 * The collection status in words. Programs read these lines, so wording and columns are those of real duplicity
 * (0.8.22). Pure: a collection in, lines out.
 */

import type { Item } from '../report.ts';
import { type Chain, type Collection, continuable } from './chains.ts';
import { endOf } from './names.ts';
import type { BackupSet } from './sets.ts';
import { asctime } from './time.ts';

/** @param place what to print as backend and archive folder, and what more there is to say of that folder */
export function statusLines(
  collection: Collection,
  place: { readonly backend: string; readonly archiveDir: string; readonly archiveNotes?: readonly string[] },
): string[] {
  const next = continuable(collection);
  const primary = 'chain' in next ? next : undefined;
  const secondary = collection.chains.filter(chain => chain !== primary?.chain);
  const lines = [
    lastFullLine(collection),
    'Collection Status',
    '-----------------',
    `Connecting with backend: ${place.backend}`,
    `Archive dir: ${place.archiveDir}`,
    ...(place.archiveNotes ?? []), // not at the end, from which programs count lines
    '',
    `Found ${counted(secondary.length, 'secondary backup chain')}.`,
  ];
  for (const [index, chain] of secondary.entries()) {
    lines.push(`Secondary chain ${index + 1} of ${secondary.length}:`, ...chainLines(chain), '');
  }
  if (primary) {
    const { chain, discarded } = primary;
    lines.push(
      '',
      'Found primary backup chain with matching signature chain:',
      ...chainLines(chain, discarded),
    );
  } else lines.push('No backup chains with active signatures found');

  const orphaned = collection.orphaned.length;
  const incomplete = collection.incomplete.length + (primary?.discarded ? 1 : 0);
  if (orphaned + incomplete === 0) lines.push('No orphaned or incomplete backup sets found.');
  else {
    lines.push(
      `Also found ${counted(orphaned, 'backup set')} not part of any chain,`,
      `and ${counted(incomplete, 'incomplete backup set')}.`,
      'These may be deleted by running duplicity with the "cleanup" command.',
    );
  }
  return lines;
}

/** The line that most runs begin with. */
export function lastFullLine(collection: Collection): string {
  const last = lastFullTime(collection.chains);
  return `Last full backup date: ${last === undefined ? 'none' : asctime(last)}`;
}

/** Time of the newest full set. */
export function lastFullTime(chains: readonly Chain[]): number | undefined {
  return chains.length === 0 ? undefined : Math.max(...chains.map(chain => chain.start));
}

export function setKind(set: BackupSet): 'Full' | 'Incremental' {
  return set.id.type === 'full' ? 'Full' : 'Incremental';
}

function chainLines(chain: Chain, discarded?: BackupSet): string[] {
  const sets = chain.sets.filter(set => set !== discarded);
  const volumes = sets.reduce((sum, set) => sum + set.volumes.size, 0);
  return [
    RULE,
    `Chain start time: ${asctime(chain.start)}`,
    `Chain end time: ${asctime(chain.end)}`,
    `Number of contained backup sets: ${sets.length}`,
    `Total number of contained volumes: ${volumes}`,
    row('Type of backup set:', 'Time:', 'Num volumes:'),
    ...sets.map(set => row(setKind(set), asctime(endOf(set.id)), String(set.volumes.size))),
    RULE,
  ];
}

export const RULE = '-------------------------';

function row(type: string, time: string, volumes: string): string {
  return `${type.padStart(20)}   ${time.padStart(30)}   ${volumes.padStart(15)}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The same for programs: each chain with its sets, then what is in none. Times are seconds since 1970. */
export function statusItems(collection: Collection, target: string): Item[] {
  const next = continuable(collection);
  const primary = 'chain' in next ? next.chain : undefined;
  return [
    ...collection.chains.map(chain => ({
      ...{ type: 'chain', start: chain.start, end: chain.end, isContinuable: chain === primary },
      sets: chain.sets.map(({ id, volumes, manifest }) => ({
        ...{ kind: id.type === 'full' ? 'full' : 'incremental', time: endOf(id), volumes: volumes.size },
        isEncrypted: manifest?.encrypted ?? null,
      })),
    })),
    {
      ...{ type: 'collection', target },
      ...{ chains: collection.chains.length, lastFull: lastFullTime(collection.chains) ?? null },
      ...{ orphaned: collection.orphaned.length, incomplete: collection.incomplete.length },
    },
  ];
}
