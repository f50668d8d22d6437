import assert from 'node:assert/strict';
import test from 'node:test';
import { collectSets } from '../../src/manifest/chains.ts';
import { cacheName } from '../../src/manifest/names.ts';
import {
  planCleanup,
  planKeepFulls,
  planKeepIncrementals,
  planRemoveOlderThan,
  type RetentionPlan,
} from '../../src/manifest/retention.ts';
import { EPOCH, full, inc, listed, manifest, signatures, unsigned, volume, whole } from './listing.ts';

const collect = (...names: (string | string[])[]) => collectSets(listed(...names));
const removed = (plan: RetentionPlan) => plan.removals.flatMap(removal => removal.names);
const removedSets = (plan: RetentionPlan) => plan.removals.map(removal => removal.set);
const three = () =>
  collect(
    whole(full(0)),
    whole(inc(0, 5)),
    whole(full(20)),
    whole(inc(20, 30)),
    whole(full(40)),
    whole(inc(40, 50)),
  );

test('planRemoveOlderThan() takes whole chains that ended before the time, newest set first', () => {
  const plan = planRemoveOlderThan(three(), EPOCH + 25);
  assert.deepEqual(removed(plan), [
    manifest(inc(0, 5)),
    signatures(inc(0, 5)),
    volume(inc(0, 5)),
    manifest(full(0)),
    signatures(full(0)),
    volume(full(0)),
  ]);
  assert.deepEqual(plan.neededTimes, [EPOCH + 20]);
  assert.equal(plan.chains.length, 1);
  assert.deepEqual(removed(planRemoveOlderThan(three(), EPOCH + 5)), []);
});

test('planRemoveOlderThan() keeps the newest chain and the newest whole one, however old', () => {
  const plan = planRemoveOlderThan(three(), EPOCH + 1000);
  assert.deepEqual(removedSets(plan), [inc(20, 30), full(20), inc(0, 5), full(0)]);
  assert.equal(plan.notes.length, 1);
  const broken = planRemoveOlderThan(
    collect(whole(full(0)), whole(full(5)), manifest(full(9))),
    EPOCH + 1000,
  );
  assert.deepEqual(removedSets(broken), [full(0)]);
  assert.equal(broken.notes.length, 2);
});

test('planRemoveOlderThan() takes superseded sets with their chain', () => {
  const plan = planRemoveOlderThan(
    collect(whole(full(0)), whole(inc(0, 5)), whole(inc(0, 9)), whole(full(20))),
    EPOCH + 15,
  );
  assert.deepEqual(removedSets(plan), [inc(0, 9), inc(0, 5), full(0)]);
});

test('planKeepFulls() keeps the chains of the newest full backups', () => {
  assert.deepEqual(removedSets(planKeepFulls(three(), 2)), [inc(0, 5), full(0)]);
  assert.deepEqual(removedSets(planKeepFulls(three(), 1)), [inc(20, 30), full(20), inc(0, 5), full(0)]);
  assert.deepEqual(removed(planKeepFulls(three(), 4)), []);
  assert.throws(() => planKeepFulls(three(), 0), { code: 'usage' });
});

test('planKeepIncrementals() keeps the full sets of older chains', () => {
  assert.deepEqual(removedSets(planKeepIncrementals(three(), 1)), [inc(20, 30), inc(0, 5)]);
  assert.deepEqual(removedSets(planKeepIncrementals(three(), 2)), [inc(0, 5)]);
  assert.deepEqual(removed(planKeepIncrementals(three(), 9)), []);
  assert.throws(() => planKeepIncrementals(three(), 1.5), { code: 'usage' });
});

test('planCleanup() takes what belongs to no chain, but no full signatures without backup', () => {
  const plan = planCleanup(
    collect(
      whole(full(20)),
      [signatures(full(0)), signatures(inc(0, 5))],
      signatures(inc(7, 9)),
      volume(full(40)),
      [volume(inc(20, 30)), signatures(inc(20, 30))],
      unsigned(inc(55, 60)),
    ),
  );
  assert.deepEqual(removed(plan), [
    manifest(inc(55, 60)),
    volume(inc(55, 60)),
    volume(full(40)),
    signatures(inc(20, 30)),
    volume(inc(20, 30)),
    signatures(inc(7, 9)),
  ]);
});

test('planCleanup() keeps what gpgsm has sealed for duplicity', () => {
  const sealed = [manifest(full(0)), volume(full(0), 1, 'plain')].map(name => `${name}.p7m`);
  assert.deepEqual(removed(planCleanup(collect(sealed))), []);
});

test('planCleanup() keeps volumes whose manifest only the archive cache has', () => {
  const collection = collect(whole(full(0)), volume(inc(0, 5)), signatures(inc(0, 5)));
  const plan = planCleanup(collection, [cacheName('manifest', inc(0, 5))]);
  assert.deepEqual(removed(plan), []);
  assert.match(plan.notes.join(), /lost its manifest/);
  const partial = planCleanup(collection, [cacheName('manifest', inc(0, 5), 'partial')]);
  assert.deepEqual(removedSets(partial), [inc(0, 5)]);
});

test('planCleanup() keeps a set that lost its manifest, and all that builds on it', () => {
  const collection = collect(
    [volume(full(0)), signatures(full(0))],
    [whole(inc(0, 5)), volume(inc(5, 9)), whole(inc(9, 12))].flat(),
    [whole(full(20)), volume(inc(20, 30)), volume(full(40))].flat(),
  );
  assert.equal(collection.problems.filter(problem => problem.code === 'manifest-lost').length, 2);
  assert.deepEqual(removedSets(planCleanup(collection)), [full(40), inc(20, 30)]);
});

test('planCleanup() keeps sets in a row that all lost their manifests', () => {
  const lost = (id: Parameters<typeof volume>[0]) => [volume(id), signatures(id)];
  const begun = collect(lost(full(0)), lost(inc(0, 5)), whole(inc(5, 9)), volume(full(20)));
  assert.equal(begun.problems.filter(problem => problem.code === 'manifest-lost').length, 2);
  assert.deepEqual(removedSets(planCleanup(begun)), [full(20)]);
  const ended = collect(whole(full(0)), lost(inc(0, 5)), volume(inc(5, 9)));
  assert.deepEqual(removedSets(planCleanup(ended)), []);
  const all = collect(volume(full(0)), volume(inc(0, 5)));
  assert.deepEqual(removedSets(planCleanup(all)), []);
  const first = collect(lost(full(0)), signatures(inc(0, 5)));
  assert.equal(first.problems.filter(problem => problem.code === 'manifest-lost').length, 1);
  assert.deepEqual(removedSets(planCleanup(first)), []);
});

test('planKeepFulls() counts no full set without manifest, and keeps the newest chain that has all', () => {
  const collection = collectSets(
    listed(whole(full(0)), whole(full(20)), [volume(full(40)), whole(inc(40, 50))].flat()),
    {},
    () => false,
  );
  assert.equal(collection.chains.length, 3);
  assert.deepEqual(removedSets(planKeepFulls(collection, 1)), [full(0)]);
  assert.deepEqual(removedSets(planRemoveOlderThan(collection, EPOCH + 1000)), [full(0)]);
});
