/** Listings of targets for tests, written as what is there: `full(0)`, `inc(0, 5)`, `volume(inc(5, 9), 1)`. */

import { type Form, manifestName, type SetId, signaturesName, volumeName } from '../../src/manifest/names.ts';
import type { Listed } from '../../src/manifest/sets.ts';

/** Times in these listings count from here. */
export const EPOCH = 1_700_000_000;

export const full = (time: number): SetId => ({ type: 'full', time: EPOCH + time });
export const inc = (start: number, end: number): SetId => ({
  type: 'inc',
  start: EPOCH + start,
  end: EPOCH + end,
});

export const manifest = (set: SetId) => manifestName(set, 'plain');
export const signatures = (set: SetId) => signaturesName(set, 'gz');
export const volume = (set: SetId, number = 1, form: Form = 'gz') => volumeName(set, number, form);

/** A complete set: manifest, signatures and volumes 1 to `volumes`. */
export function whole(set: SetId, volumes = 1): string[] {
  return [manifest(set), signatures(set), ...Array.from({ length: volumes }, (_, i) => volume(set, i + 1))];
}

/** A set as of a run that left no signatures. */
export function unsigned(set: SetId): string[] {
  return [manifest(set), volume(set)];
}

export function listed(...names: (string | string[])[]): Listed[] {
  return names.flat().map(name => ({ name, size: 100 }));
}
