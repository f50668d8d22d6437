import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Collection, collectSets } from '../../src/manifest/chains.ts';
import { endOf, type SetId, setKey } from '../../src/manifest/names.ts';
import { type KeepRules, planPrune } from '../../src/manifest/prune.ts';
import { EPOCH, full, inc, listed, whole } from './listing.ts';

const DAY = 86_400;

/** Chains of daily sets, a full one every `chain` days. */
function daily(days: number, chain: number): { sets: SetId[]; collection: Collection } {
  const sets = Array.from({ length: days }, (_, day) =>
    day % chain === 0 ? full(day * DAY) : inc((day - 1) * DAY, day * DAY),
  );
  return { sets, collection: collectSets(listed(...sets.map(set => whole(set)))) };
}

const NOW = EPOCH + 1000 * DAY;

function keptDays(collection: Collection, rules: Partial<KeepRules>, now = NOW): number[] {
  const { kept } = planPrune(collection, { fullMin: 1, ...rules }, now);
  return kept.map(({ set }) => (endOf(set) - EPOCH) / DAY).sort((a, b) => a - b);
}

test('planPrune() keeps what a rule names, with all that it builds on, and says why', () => {
  const { collection } = daily(20, 7);
  assert.deepEqual(keptDays(collection, { last: 2 }), [14, 15, 16, 17, 18, 19]);
  assert.deepEqual(keptDays(collection, { daily: 8 }), [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  assert.deepEqual(keptDays(collection, { within: 5 * DAY + 1 }), [14, 15, 16, 17, 18, 19]);
  assert.deepEqual(keptDays(collection, { last: 1, fullMin: 3 }), [0, 7, 14, 15, 16, 17, 18, 19]);
  const { kept } = planPrune(collection, { last: 1, fullMin: 1 }, NOW);
  assert.deepEqual(kept[0]!.reasons, ['the newest', 'the last set']);
  assert.deepEqual(kept.at(-1)!.reasons, ['the full set of the newest chain']);
  assert.deepEqual(kept[1]!.reasons, ['others build on it']);
});

test('planPrune() does not take sets for old because a wrong clock has dated one years later', () => {
  const { sets } = daily(20, 7);
  const ahead = full(1000 * DAY);
  const collection = collectSets(listed(...[...sets, ahead].map(set => whole(set))));
  const kept = keptDays(collection, { within: 5 * DAY + 1 }, EPOCH + 19 * DAY);
  assert.deepEqual(kept, [14, 15, 16, 17, 18, 19, 1000]);
});

test('planPrune() does not take sets for old because the clock of this one run is years ahead', () => {
  const { sets } = daily(20, 7);
  const ahead = full(1000 * DAY);
  const collection = collectSets(listed(...[...sets, ahead].map(set => whole(set))));
  const kept = keptDays(collection, { within: 5 * DAY + 1 }, EPOCH + 1000 * DAY);
  assert.deepEqual(kept, [14, 15, 16, 17, 18, 19, 1000]);
});

test('planPrune() takes the last set of each week, month and year', () => {
  const { collection } = daily(100, 1);
  const days = (rules: Partial<KeepRules>) =>
    keptDays(collection, rules).map(day => new Date((EPOCH + day * DAY) * 1000));
  for (const date of days({ weekly: 5 }).slice(0, -1)) assert.equal(date.getDay(), 0, 'a Sunday');
  for (const date of days({ monthly: 3 }).slice(0, -1)) {
    const next = new Date(date);
    next.setDate(date.getDate() + 1);
    assert.equal(next.getDate(), 1, 'the day before the first of a month');
  }
  assert.equal(days({ yearly: 5 }).length, 2);
  assert.equal(days({ weekly: 5 }).length, 5);
});

test('planPrune() without a rule is refused, and so is keeping no chain', () => {
  const { collection } = daily(3, 3);
  assert.throws(() => planPrune(collection, { fullMin: 1 }, NOW), /say what to keep/);
  assert.throws(() => planPrune(collection, { daily: 0, fullMin: 1 }, NOW), /say what to keep/);
  assert.throws(() => planPrune(collection, { daily: 1, fullMin: 0 }, NOW), /at least one chain/);
});

test('planPrune() never breaks a chain, whatever the rules, and names every set once', () => {
  const rule = fc.option(fc.nat(12), { nil: undefined });
  const rules = fc.record({
    ...{ last: rule, daily: rule, weekly: rule, monthly: rule, yearly: rule },
    within: fc.option(fc.nat(40 * DAY), { nil: undefined }),
    fullMin: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 15 }),
      rules,
      (days, chain, keep) => {
        const { sets, collection } = daily(days, chain);
        fc.pre(Object.entries(keep).some(([name, value]) => name !== 'fullMin' && value));
        const { kept, removals } = planPrune(collection, keep, NOW);
        const names = [...kept, ...removals].map(({ set }) => setKey(set)).sort();
        assert.deepEqual(names, sets.map(setKey).sort());
        assert.ok(kept.some(({ set }) => setKey(set) === setKey(sets.at(-1)!)));
        const isKept = new Set(kept.map(({ set }) => setKey(set)));
        for (const { sets: own } of collection.chains) {
          const flags = own.map(({ id }) => isKept.has(setKey(id)));
          assert.ok(!flags.join().includes('false,true'), flags.join());
        }
        const fulls = kept.filter(({ set }) => set.type === 'full').length;
        assert.ok(fulls >= Math.min(keep.fullMin, collection.chains.length));
      },
    ),
  );
});
