import assert from 'node:assert/strict';
import test from 'node:test';
import { cacheName, type SetId } from '../../src/manifest/names.ts';
import { planSync } from '../../src/manifest/sync.ts';
import { EPOCH, full, inc, manifest, signatures, volume, whole } from './listing.ts';

const cached = (set: SetId) => [cacheName('manifest', set), cacheName('signatures', set)];
const manifestPart = (set: SetId) => cacheName('manifest', set, 'partial');
const signaturesPart = (set: SetId) => cacheName('signatures', set, 'partial');
const names = (items: readonly { readonly name: string }[]) => items.map(item => item.name);

/** Plans and checks all of it: what is not named must be empty. */
function expectPlan(
  remote: string[],
  local: string[],
  expected: { fetch?: string[]; unknown?: string[] },
): void {
  const plan = planSync(remote, local);
  assert.deepEqual(names(plan.fetch), expected.fetch ?? [], 'fetch');
  assert.deepEqual(names(plan.unknownAtTarget), expected.unknown ?? [], 'unknownAtTarget');
}

test('planSync() fetches what the cache lacks, into its names there', () => {
  const plan = planSync(
    [`${manifest(full(0))}.gpg`, signatures(full(0)), volume(full(0)), 'other'],
    ['lockfile'],
  );
  assert.deepEqual(plan.fetch, [
    {
      name: `${manifest(full(0))}.gpg`,
      cacheName: cacheName('manifest', full(0)),
      kind: 'manifest',
      set: full(0),
      encrypted: true,
      compressed: false,
    },
    {
      name: signatures(full(0)),
      cacheName: cacheName('signatures', full(0)),
      kind: 'signatures',
      set: full(0),
      encrypted: false,
      compressed: true,
    },
  ]);
  expectPlan(whole(full(0)), cached(full(0)), {});
  expectPlan([...whole(full(0)), signatures(inc(0, 5))], cached(full(0)), {});
});

test('planSync() fetches only what overlaps the needed chain', () => {
  const remote = [full(0), inc(0, 5), full(10), inc(10, 20), full(30)].flatMap(set => whole(set));
  const plan = planSync(remote, [], { start: EPOCH + 10, end: EPOCH + 20 });
  assert.deepEqual(new Set(plan.fetch.map(item => item.set.type)), new Set(['full', 'inc']));
  assert.deepEqual(
    names(plan.fetch),
    [full(10), inc(10, 20)].flatMap(set => [manifest(set), signatures(set)]),
  );
});

test('planSync() tells finished metadata that the target has lost', () => {
  expectPlan([], cached(full(0)), { unknown: cached(full(0)) });
  expectPlan([signatures(full(0))], cached(full(0)), { unknown: [cacheName('manifest', full(0))] });
  expectPlan([], [...cached(full(0)), manifestPart(full(0))], {
    unknown: [cacheName('manifest', full(0))],
  });
});

test('planSync() leaves a run that can be resumed alone', () => {
  const part = [manifestPart(inc(0, 5)), signaturesPart(inc(0, 5))];
  const before = [...whole(full(0)), volume(inc(0, 5))];
  expectPlan(before, [...cached(full(0)), ...part], {});
  const uploaded = [...before, signatures(inc(0, 5))];
  const final = cacheName('signatures', inc(0, 5));
  expectPlan(uploaded, [...cached(full(0)), manifestPart(inc(0, 5)), final], {});
});

test('planSync() fetches what a run of real duplicity that was killed had not given its name', () => {
  const [set, remote] = [full(0), [volume(full(0)), signatures(full(0))]];
  const [manifestFile, signaturesFile] = cached(set) as [string, string];
  expectPlan(remote, [manifestPart(set), signaturesPart(set), signaturesFile], {});
  expectPlan([...remote, manifest(set)], [manifestPart(set), signaturesFile], { fetch: [manifest(set)] });
  const parts = [manifestPart(set), signaturesPart(set)];
  expectPlan(whole(set), [...parts, manifestFile], { fetch: [signatures(set)] });
  expectPlan([], [signaturesPart(set)], {});
});

test('planSync() counts copies made for sending only where the target has nothing of the set', () => {
  const sent = `${signatures(full(0)).replace(/\.gz$/, '')}.gpg`;
  expectPlan(whole(full(0)), [...cached(full(0)), sent], {});
  expectPlan([volume(full(0))], [manifestPart(full(0)), sent], {});
  expectPlan([], [sent], { unknown: [sent] });
});
