import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { groupSets, namesOf, volumeGaps } from '../../src/manifest/sets.ts';
import { full, inc, listed, manifest, signatures, unsigned, volume, whole } from './listing.ts';

const only = (...names: (string | string[])[]) => {
  const { sets, problems } = groupSets(listed(...names));
  assert.equal(sets.length, 1);
  return { set: sets[0]!, problems };
};

test('groupSets() puts every object into its set, in order of time', () => {
  const { sets, problems } = groupSets(listed('lockfile', whole(inc(0, 5)), whole(full(0), 12), 'x'));
  assert.deepEqual(
    sets.map(set => set.id),
    [full(0), inc(0, 5)],
  );
  const first = sets[0]!;
  assert.equal(first.manifest?.name, manifest(full(0)));
  assert.equal(first.signatures?.name, signatures(full(0)));
  assert.deepEqual([...first.volumes.keys()], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  assert.deepEqual(problems, []);
});

test('groupSets() never takes a name with a tail for the thing itself', () => {
  const { set, problems } = only(unsigned(full(0)), `${volume(full(0))}.tmp`, `${volume(full(0), 2)}~`);
  assert.equal(set.volumes.get(1)?.name, volume(full(0)));
  assert.equal(set.volumes.has(2), false);
  assert.equal(set.extras.length, 2);
  assert.deepEqual(
    problems.map(problem => problem.code),
    ['trailing-name', 'trailing-name'],
  );
  const half = only(volume(full(0)), `${manifest(full(0))}.gpg.tmp`, `${manifest(full(0))}.part`);
  assert.equal(half.set.manifest, undefined);
});

test('groupSets() keeps doubles apart, the same way in whatever order they are listed', () =>
  fc.assert(
    fc.property(
      fc.shuffledSubarray(
        [
          volume(full(0)),
          volume(full(0)).replace('vol1', 'vol01'),
          volume(full(0), 1, 'gpg'),
          manifest(full(0)),
          `${manifest(full(0))}.gpg`,
        ],
        { minLength: 5 },
      ),
      names => {
        const { set, problems } = only(names);
        assert.equal(set.volumes.get(1)?.name, volume(full(0), 1, 'gpg'));
        assert.equal(set.manifest?.name, manifest(full(0)));
        assert.equal(set.extras.length, 3);
        assert.deepEqual([...namesOf(set)].sort(), [...names].sort());
        assert.deepEqual(new Set(problems.map(problem => problem.code)), new Set(['duplicate-object']));
      },
    ),
  ));

test('volumeGaps() tells which volumes are missing', () => {
  const { set } = only(whole(full(0), 2), volume(full(0), 5));
  assert.deepEqual(volumeGaps(set), [3, 4]);
  assert.ok(volumeGaps(only(volume(full(0), 999_999_999)).set).length <= 1000);
});

test('namesOf() puts the manifest first and then the highest volumes', () => {
  assert.deepEqual(namesOf(only(whole(full(0), 2)).set), [
    manifest(full(0)),
    signatures(full(0)),
    volume(full(0), 2),
    volume(full(0), 1),
  ]);
});
