import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Chain, chainFor, collectSets, continuable, setsFor } from '../../src/manifest/chains.ts';
import { endOf } from '../../src/manifest/names.ts';
import { EPOCH, full, inc, listed, manifest, signatures, unsigned, volume, whole } from './listing.ts';

const collect = (...names: (string | string[])[]) => collectSets(listed(...names));
/** Ends of a chain's sets, counted from the epoch of listings. */
const ends = (chain: Chain | undefined) => chain?.sets.map(set => endOf(set.id) - EPOCH);
const codes = (collection: ReturnType<typeof collectSets>) =>
  collection.problems.map(problem => problem.code);

test('collectSets() links incrementals to the chain that ends where they start', () => {
  const collection = collect(
    whole(inc(5, 9)),
    whole(full(20)),
    whole(full(0)),
    whole(inc(20, 30)),
    whole(inc(0, 5)),
  );
  assert.deepEqual(collection.chains.map(ends), [
    [0, 5, 9],
    [20, 30],
  ]);
  assert.deepEqual(codes(collection), []);
  const [first] = collection.chains;
  assert.deepEqual([first?.start, first?.end, first?.signaturesUntil], [EPOCH, EPOCH + 9, EPOCH + 9]);
});

test('collectSets() lets a later incremental take the place of the last one with the same start', () => {
  const collection = collect(whole(full(0)), whole(inc(0, 5)), whole(inc(0, 9)), whole(inc(9, 12)));
  assert.deepEqual(ends(collection.chains[0]), [0, 9, 12]);
  assert.deepEqual(
    collection.chains[0]?.superseded.map(set => set.id),
    [inc(0, 5)],
  );
  assert.deepEqual(codes(collection), ['superseded-set']);
});

test('collectSets() for readers counts sets as complete that have lost nothing but their manifest', () => {
  const read = (known: readonly unknown[], ...names: (string | string[])[]) =>
    collectSets(listed(...names), {}, id =>
      known.some(other => JSON.stringify(other) === JSON.stringify(id)),
    );
  const bare = (set: ReturnType<typeof full>) => [signatures(set), volume(set)];
  const chain = read([], bare(full(0)), bare(inc(0, 5)), whole(inc(5, 9)), bare(inc(9, 12)));
  assert.deepEqual(chain.chains.map(ends), [[0, 5, 9]], 'those that another set builds on');
  assert.deepEqual(codes(chain), []);
  assert.deepEqual(ends(read([inc(0, 5)], whole(full(0)), bare(inc(0, 5))).chains[0]), [0, 5], 'a known one');
  assert.deepEqual(ends(read([], whole(full(0)), bare(inc(0, 5))).chains[0]), [0]);
  assert.deepEqual(ends(read([], bare(full(0)), bare(inc(0, 5))).chains[0]), [0], 'also an unfinished one');
  const replaced = read([inc(0, 5)], whole(full(0)), bare(inc(0, 5)), whole(inc(5, 7)), whole(inc(0, 9)));
  assert.deepEqual(ends(replaced.chains[0]), [0, 9], 'none whose place another set has taken');
  assert.deepEqual(read([], signatures(full(0)), whole(inc(0, 5))).chains, [], 'none without volumes');
});

test('collectSets() tells incomplete and orphaned sets and stray signatures apart', () => {
  const collection = collect(
    whole(full(20)),
    volume(inc(20, 30)),
    unsigned(inc(55, 60)),
    signatures(inc(7, 9)),
    signatures(full(0)),
    signatures(inc(0, 5)),
  );
  const ids = (sets: readonly { id: unknown }[]) => sets.map(set => set.id);
  assert.deepEqual(ids(collection.incomplete), [inc(20, 30)]);
  assert.deepEqual(ids(collection.orphaned), [inc(55, 60)]);
  assert.deepEqual(ids(collection.orphanedSignatures), [inc(7, 9)]);
  assert.deepEqual(ids(collection.signaturesWithoutBackup), [full(0), inc(0, 5)]);
  assert.deepEqual(codes(collection), ['signatures-without-backup']);
});

test('collectSets() reports gaps, overlaps and ambiguous links instead of stopping at them', () => {
  assert.deepEqual(codes(collect(unsigned(full(0)), volume(full(0), 3))), ['volume-gap']);
  assert.deepEqual(codes(collect(manifest(full(0)))), ['volume-gap']);
  assert.deepEqual(codes(collect(whole(full(0)), whole(inc(0, 20)), whole(full(10)))), ['chains-overlap']);
  const ambiguous = collect(whole(full(0)), whole(inc(0, 5)), whole(full(5)), whole(inc(5, 9)));
  assert.deepEqual(ambiguous.chains.map(ends), [[5], [0, 5, 9]]);
  assert.deepEqual(codes(ambiguous), ['ambiguous-link', 'chains-overlap']);
});

test('collectSets() never throws and loses no object, whatever the listing', () => {
  const id = fc.oneof(
    fc.nat({ max: 6 }).map(full),
    fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 })).map(([start, end]) => inc(start, end)),
  );
  const name = fc.tuple(
    id,
    fc.constantFrom(manifest, signatures, volume),
    fc.constantFrom('', '', '', '.tmp', '.gpg'),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(
        name.map(([set, write, tail]) => write(set) + tail),
        { maxLength: 40 },
      ),
      names => {
        const collection = collect(names);
        const sets = collection.chains.flatMap(chain => [...chain.sets, ...chain.superseded]);
        const all = new Set([...sets, ...collection.incomplete, ...collection.orphaned]);
        for (const set of [...collection.orphanedSignatures, ...collection.signaturesWithoutBackup])
          all.add(set);
        let count = 0;
        for (const set of all) {
          count += set.volumes.size + set.extras.length + (set.manifest ? 1 : 0) + (set.signatures ? 1 : 0);
        }
        assert.equal(count, names.length);
        for (const chain of collection.chains) {
          for (const [index, set] of chain.sets.entries()) {
            if (index > 0)
              assert.equal(set.id.type === 'inc' && set.id.start, endOf(chain.sets[index - 1]!.id));
          }
        }
      },
    ),
  );
});

test('collectSets() links thousands of sets', () => {
  const times = Array.from({ length: 5000 }, (_, i) => 2 * i);
  const chains = collect(...times.map(time => whole(full(time))));
  assert.equal(chains.chains.length, times.length);
  assert.deepEqual(codes(chains), []);
  const chain = collect(whole(full(0)), ...times.map(time => whole(inc(time, time + 2))));
  assert.deepEqual([chain.chains.length, chain.chains[0]?.sets.length], [1, times.length + 1]);
  const loose = collect(...times.map(time => volume(inc(3 * time, 3 * time + 1))));
  assert.equal(loose.incomplete.length, times.length);
});

test('chainFor() and setsFor() choose the newest state that is not later than the time', () => {
  const { chains } = collect(
    whole(full(0)),
    whole(inc(0, 5)),
    whole(inc(5, 9)),
    whole(full(20)),
    whole(inc(20, 30)),
  );
  const at = (time: number) => {
    const chain = chainFor(chains, EPOCH + time);
    return chain && setsFor(chain, EPOCH + time).map(set => endOf(set.id) - EPOCH);
  };
  assert.deepEqual(at(-1), [0], 'before all backups the oldest full one');
  assert.deepEqual(at(0), [0]);
  assert.deepEqual(at(7), [0, 5]);
  assert.deepEqual(at(15), [0, 5, 9]);
  assert.deepEqual(at(20), [20]);
  assert.deepEqual(at(99), [20, 30]);
  assert.equal(chainFor([], EPOCH), undefined);
});

test('chainFor() prefers the newer state where chains overlap', () => {
  const { chains } = collect(whole(full(0)), whole(inc(0, 30)), whole(full(10)), whole(inc(10, 20)));
  const startAt = (time: number) => chainFor(chains, EPOCH + time)!.start - EPOCH;
  assert.deepEqual([5, 15, 25, 30].map(startAt), [0, 10, 10, 0]);
});

test('continuable() gives the newest chain and its signatures, oldest first', () => {
  const next = continuable(collect(whole(full(0)), whole(full(10)), whole(inc(10, 20))));
  assert.ok('chain' in next);
  assert.deepEqual(ends(next.chain), [10, 20]);
  assert.deepEqual(
    next.signatures.map(object => object.name),
    [signatures(full(10)), signatures(inc(10, 20))],
  );
  assert.deepEqual(next.last.id, inc(10, 20));
  assert.deepEqual([next.discarded, next.dangling], [undefined, []]);
});

test('continuable() goes back one set when only the last lacks signatures', () => {
  const next = continuable(collect(whole(full(0)), whole(inc(0, 5)), unsigned(inc(5, 9))));
  assert.ok('chain' in next);
  assert.deepEqual(next.last.id, inc(0, 5));
  assert.deepEqual(next.discarded?.id, inc(5, 9));
});

test('continuable() names the signatures that a broken run left where the next will be', () => {
  const next = continuable(collect(whole(full(0)), signatures(inc(0, 5)), volume(inc(0, 5))));
  assert.ok('chain' in next);
  assert.deepEqual(
    next.dangling.map(object => object.name),
    [signatures(inc(0, 5))],
  );
});

test('continuable() says why there is nothing to continue', () => {
  const reason = (...names: (string | string[])[]) => {
    const next = continuable(collect(...names));
    return 'reason' in next ? next.reason : undefined;
  };
  assert.match(reason() ?? '', /no complete backup/);
  assert.match(reason(unsigned(full(0))) ?? '', /Signatures are missing.*full/);
  assert.match(reason(whole(full(0)), unsigned(inc(0, 5)), whole(inc(5, 9))) ?? '', /Signatures are missing/);
  assert.match(reason(whole(full(0)), unsigned(full(9))) ?? '', /Signatures are missing/);
});
