/**
 * When each object of an archive was last proved: a small file in the archive cache, never at the target, where it
 * would prove nothing. It is a record and no truth: an object that has another size or checksum by now counts as never
 * proved.
 */

import { type OwnFolder, readOwn, writeOwn } from './own-files.ts';

const NOTE = 'proofs.json';

/** What is to be proved: a volume, or the signatures of a set. */
export interface Provable {
  readonly name: string;
  readonly size: number;
  /** As its manifest has it, where it has one. */
  readonly sum?: string | undefined;
}

interface Proof {
  readonly size: number;
  readonly sum: string;
  /** Seconds since 1970. */
  readonly time: number;
}

export interface Proofs {
  /** Seconds since 1970; undefined if it never was. */
  provedAt(object: Provable): number | undefined;
  prove(object: Provable, time: number): void;
  /** It is not what it should be. */
  disprove(object: Provable): void;
  /** @param names of the objects that are there; the others are forgotten */
  save(names: ReadonlySet<string>): Promise<void>;
}

/** @param now seconds since 1970: what was proved later was so by a clock that went wrong, and does not count */
export function openProofs(archive: OwnFolder, now: number): Proofs {
  const known = (readOwn(archive, NOTE) ?? {}) as Record<string, Proof>; // without it all is proved anew
  const proofs = new Map(Object.entries(known));
  return {
    provedAt({ name, size, sum = '' }) {
      const proof = proofs.get(name);
      return proof?.size === size && proof.sum === sum && proof.time <= now ? proof.time : undefined;
    },
    prove({ name, size, sum = '' }, time) {
      proofs.set(name, { size, sum, time });
    },
    disprove({ name }) {
      proofs.delete(name);
    },
    async save(names) {
      const kept = [...proofs].filter(([name]) => names.has(name));
      await writeOwn(archive, NOTE, Object.fromEntries(kept));
    },
  };
}

/**
 * What a run looks at: first what was never proved, then what was proved longest ago, until the sample is full. So
 * runs one after the other cover everything. What fills it may be larger than the room that is left: an archive gets new
 * objects every day, beside which a large volume would never find room, nor all that waits behind it.
 * @param budget bytes; at least one object is chosen
 */
export function chooseSample<T extends Provable>(
  objects: readonly T[],
  { provedAt }: Pick<Proofs, 'provedAt'>,
  budget: number,
): T[] {
  const age = (object: T) => provedAt(object) ?? Number.NEGATIVE_INFINITY;
  const chosen: T[] = [];
  let bytes = 0;
  for (const object of [...objects].sort((a, b) => (age(a) === age(b) ? 0 : age(a) - age(b)))) {
    if (chosen.length > 0 && bytes >= budget) break;
    chosen.push(object);
    bytes += object.size;
  }
  return chosen;
}
