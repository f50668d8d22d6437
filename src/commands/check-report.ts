/** What a check says at its end: when each volume was last proved, and what the run came to. */

import { displayPath } from '../bytes.ts';
import { describeSet } from '../manifest/sets.ts';
import { asctime } from '../manifest/time.ts';
import type { Item } from '../report.ts';
import { formatSize } from '../text.ts';
import type { Proofs } from './check-proofs.ts';
import type { CheckedSet, CheckUnit } from './check-sets.ts';

export interface CheckOutcome {
  readonly sets: readonly CheckedSet[];
  /** What this run was to read. */
  readonly chosen: ReadonlySet<CheckUnit>;
  readonly faults: number;
  /** Whether nothing was opened, for want of the private key. */
  readonly sealed: boolean;
  readonly provedAt: Proofs['provedAt'];
}

export function formatCheck({ sets, chosen, faults, sealed, provedAt }: CheckOutcome): string {
  const stateOf = (unit: CheckUnit | undefined) => {
    if (!unit) return 'not at the target';
    const time = provedAt(unit);
    if (time !== undefined) return `proved ${asctime(time)}`;
    return chosen.has(unit) ? 'not proved: see above' : 'never proved';
  };
  const lines = sets.flatMap(({ set, volumes, signatures }) => {
    const states = volumes.map(({ entry, unit }) => ({ number: entry.number, state: stateOf(unit) }));
    return [
      `The ${describeSet(set.id)}:`,
      ...grouped(states).map(line => `    ${line}`),
      ...(signatures ? [`    signatures: ${stateOf(signatures)}`] : []),
    ];
  });
  const units = sets.flatMap(set => set.units);
  const proved = units.filter(unit => provedAt(unit) !== undefined);
  const bytes = [...chosen].reduce((sum, { size }) => sum + size, 0);
  const found = faults === 0 ? 'no fault' : faults === 1 ? '1 fault' : `${faults} faults`;
  return [
    ...lines,
    `Check complete: ${chosen.size} of ${units.length} objects read (${formatSize(bytes)}), ${proved.length} are proved${sealed ? ' by their checksums alone, without the private key' : ''}, ${found} found.`,
    '',
  ].join('\n');
}

/** Volumes in a row of which the same is to be said. */
function grouped(states: readonly { readonly number: number; readonly state: string }[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < states.length; ) {
    const { number, state } = states[i]!;
    let last = i;
    while (states[last + 1]?.state === state) last++;
    const numbers = last === i ? `volume ${number}` : `volumes ${number}-${states[last]!.number}`;
    lines.push(`${numbers}: ${state}`);
    i = last + 1;
  }
  return lines;
}

export function checkItems({ sets, chosen, faults, sealed, provedAt }: CheckOutcome): Item[] {
  const units = sets.flatMap(set => set.units);
  return [
    ...units.map(unit => ({
      ...{ type: 'object', object: displayPath(unit.name), bytes: unit.size },
      ...{ read: chosen.has(unit), provedAt: provedAt(unit) ?? null },
    })),
    { type: 'check', objects: units.length, read: chosen.size, faults, sealed },
  ];
}
