import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  cacheName,
  manifestName,
  type Prefixes,
  parseName,
  type SetId,
  setKey,
  signaturesName,
  volumeName,
} from '../../src/manifest/names.ts';

const T1 = 1_795_396_333;
const T2 = 1_795_396_433;
const fullSet: SetId = { type: 'full', time: T1 };
const incSet: SetId = { type: 'inc', start: T1, end: T2 };

const times = () => fc.integer({ min: 1, max: 4_102_444_799 });
const setIds = (): fc.Arbitrary<SetId> =>
  fc.oneof(
    times().map(time => ({ type: 'full' as const, time })),
    fc.tuple(times(), times()).map(([start, end]) => ({ type: 'inc' as const, start, end })),
  );
const prefixes = (): fc.Arbitrary<Prefixes> => {
  // Pieces that mean something in patterns or look like names themselves.
  const text = fc
    .array(fc.constantFrom('', '.*', 'a+', '(', '[x', 'duplicity-', 'full.', '$', 'é'))
    .map(a => a.join(''));
  return fc.record({ file: text, archive: text, manifest: text, signature: text });
};
const forms = () => fc.constantFrom('gpg' as const, 'gz' as const, 'plain' as const);

test('volumeName(), manifestName() and signaturesName() write the names of the format', () => {
  assert.equal(volumeName(fullSet, 12, 'gpg'), 'duplicity-full.20261123T011213Z.vol12.difftar.gpg');
  assert.equal(
    volumeName(incSet, 1, 'plain'),
    'duplicity-inc.20261123T011213Z.to.20261123T011353Z.vol1.difftar',
  );
  assert.equal(manifestName(fullSet, 'plain'), 'duplicity-full.20261123T011213Z.manifest');
  assert.equal(
    manifestName(incSet, 'gpg', { file: 'P', manifest: 'M', archive: 'A' }),
    'PMduplicity-inc.20261123T011213Z.to.20261123T011353Z.manifest.gpg',
  );
  assert.equal(signaturesName(fullSet, 'gz'), 'duplicity-full-signatures.20261123T011213Z.sigtar.gz');
  assert.equal(
    signaturesName(incSet, 'gpg', { file: 'P', signature: 'S' }),
    'PSduplicity-new-signatures.20261123T011213Z.to.20261123T011353Z.sigtar.gpg',
  );
});

test('cacheName() writes plain manifests and gzipped signatures, and .part while a run lasts', () => {
  assert.equal(cacheName('manifest', fullSet), 'duplicity-full.20261123T011213Z.manifest');
  assert.equal(cacheName('manifest', fullSet, 'partial'), 'duplicity-full.20261123T011213Z.manifest.part');
  assert.equal(cacheName('signatures', fullSet), 'duplicity-full-signatures.20261123T011213Z.sigtar.gz');
  assert.equal(
    cacheName('signatures', fullSet, 'partial', { file: 'P' }),
    'Pduplicity-full-signatures.20261123T011213Z.sigtar.part',
  );
});

test('parseName() undoes the writing of names, whatever the prefixes', () =>
  fc.assert(
    fc.property(
      setIds(),
      fc.integer({ min: 1, max: 999_999 }),
      forms(),
      prefixes(),
      (set, volume, form, fixes) => {
        const flags = {
          set,
          encrypted: form === 'gpg',
          compressed: form === 'gz',
          partial: false,
          exact: true,
        };
        assert.deepEqual(parseName(volumeName(set, volume, form, fixes), fixes), {
          kind: 'volume',
          volume,
          ...flags,
        });
        assert.deepEqual(parseName(signaturesName(set, form, fixes), fixes), {
          kind: 'signatures',
          ...flags,
        });
        if (form === 'gz') return;
        assert.deepEqual(parseName(manifestName(set, form, fixes), fixes), { kind: 'manifest', ...flags });
        const part = parseName(cacheName('manifest', set, 'partial', fixes), fixes);
        assert.deepEqual(part, { kind: 'manifest', ...flags, encrypted: false, partial: true });
      },
    ),
  ));

test('parseName() reads old times, lower case, leading zeros and statistics', () => {
  const flags = { encrypted: false, compressed: true, partial: false, exact: true };
  const old = 'duplicity-inc.2026-11-23T01:12:13Z.to.2026-11-23T06:43:53+05:30.vol01.difftar.gz';
  assert.deepEqual(parseName(old), { kind: 'volume', volume: 1, set: incSet, ...flags });
  assert.deepEqual(parseName('duplicity-full-signatures.2026-11-23T01_12_13Z.sigtar.gz'), {
    kind: 'signatures',
    set: fullSet,
    ...flags,
  });
  assert.deepEqual(parseName('duplicity-full.20261123t011213z.jsonstat.gz'), {
    kind: 'jsonstat',
    set: fullSet,
    ...flags,
  });
});

test('parseName() reads the short names of old archives', () => {
  const flags = { encrypted: false, compressed: false, partial: false, exact: true };
  const names: [string, object][] = [
    ['df.toxkod.1.dt.z', { kind: 'volume', volume: 1, set: fullSet, ...flags, compressed: true }],
    ['df.toxkod.10.dt.g', { kind: 'volume', volume: 36, set: fullSet, ...flags, encrypted: true }],
    ['df.toxkod.m', { kind: 'manifest', set: fullSet, ...flags }],
    ['df.toxkod.m.p', { kind: 'manifest', set: fullSet, ...flags, partial: true }],
    ['dfs.toxkod.st.z', { kind: 'signatures', set: fullSet, ...flags, compressed: true }],
    ['di.toxkod.toxkr5.1.dt.z', { kind: 'volume', volume: 1, set: incSet, ...flags, compressed: true }],
    ['di.toxkod.toxkr5.m', { kind: 'manifest', set: incSet, ...flags }],
    ['dns.toxkod.toxkr5.st.z', { kind: 'signatures', set: incSet, ...flags, compressed: true }],
  ];
  for (const [name, expected] of names) assert.deepEqual(parseName(name), expected, name);
});

test('parseName() reads the names of what gpgsm has sealed for duplicity', () => {
  const flags = { encrypted: true, compressed: false, partial: false, exact: true };
  const names: [string, object][] = [
    ['duplicity-full.20261123T011213Z.vol1.difftar.p7m', { kind: 'volume', volume: 1, set: fullSet }],
    ['duplicity-full.20261123T011213Z.manifest.p7m', { kind: 'manifest', set: fullSet }],
    ['duplicity-full-signatures.20261123T011213Z.sigtar.p7m', { kind: 'signatures', set: fullSet }],
  ];
  for (const [name, expected] of names) assert.deepEqual(parseName(name), { ...expected, ...flags }, name);
});

test('parseName() tells names with something behind the suffix apart', () => {
  const base = 'duplicity-full.20261123T011213Z.vol1.difftar';
  for (const tail of ['.gz.tmp', '.gpg.par2', '.gz~', '.vol000+01.par2', '.', '.gz.gz']) {
    const parsed = parseName(base + tail);
    assert.equal(parsed?.kind === 'volume' && parsed.volume, 1, tail);
    assert.equal(parsed?.exact, false, tail);
  }
  assert.equal(parseName(`${base}x`), undefined);
});

test('parseName() ignores what is not ours', () => {
  const names = [
    '',
    'lockfile',
    'x-duplicity-full.20261123T011213Z.manifest',
    'duplicity-full.20261123T011213Z',
  ];
  names.push('duplicity-full.20261399T011213Z.manifest', 'duplicity-full.20261123T011213Z.vol0.difftar.gz');
  names.push('duplicity-full.20261123T011213Z.vol.difftar.gz', 'Duplicity-full.20261123T011213Z.manifest');
  names.push('duplicity-inc.20261123T011213Z.manifest', 'df.0.m', 'df.zzzzzzzz.m', 'a.b', 'x'.repeat(9999));
  names.push('duplicity-full.20261123T011213Z.vol99999999999999999999.difftar.gz');
  for (const name of names) assert.equal(parseName(name), undefined, name);
  assert.equal(parseName(manifestName(fullSet, 'gpg'), { file: 'P' }), undefined);
  assert.equal(parseName(manifestName(fullSet, 'gpg', { file: 'P' })), undefined);
  assert.equal(parseName(`ab${manifestName(fullSet, 'gpg')}`, { file: '.*' }), undefined);
});

test('setKey() differs for different sets', () => {
  assert.notEqual(setKey(fullSet), setKey(incSet));
  assert.equal(setKey(incSet), setKey({ ...incSet }));
});
