import assert from 'node:assert/strict';
import test from 'node:test';
import { canonicalLocaldir, sourceMismatch } from '../../src/manifest/source.ts';

test('canonicalLocaldir() drops empty and dot parts and keeps the rest as typed', () => {
  const spellings: [string, string][] = [
    ['./s4', 's4'],
    ['s4/', 's4'],
    ['.', '.'],
    ['./.', '.'],
    ['..', '..'],
    ['../t/', '../t'],
    ['../../tmp//mf/./t', '../../tmp/mf/t'],
    ['s/../s', 's/../s'],
    ['//tmp/t', '/tmp/t'],
    ['/', '/'],
    ['s/\xe9 x', 's/\xe9 x'],
  ];
  for (const [typed, kept] of spellings) assert.equal(canonicalLocaldir(typed), kept, typed);
});

test('sourceMismatch() compares what the manifest says with host and folder', () => {
  const manifest = { hostname: 'vm', localdir: 'src', volumes: [], ending: 'filelist' } as const;
  assert.equal(sourceMismatch(manifest, { hostnames: ['other', 'vm'], localdir: './src/' }), undefined);
  assert.deepEqual(sourceMismatch(manifest, { hostnames: ['a', 'a.b'], localdir: 'src' }), {
    field: 'hostname',
    stored: 'vm',
    current: 'a',
  });
  assert.deepEqual(sourceMismatch(manifest, { hostnames: ['vm'], localdir: '/abs/src' }), {
    field: 'localdir',
    stored: 'src',
    current: '/abs/src',
  });
  assert.equal(
    sourceMismatch({ volumes: [], ending: 'volume' }, { hostnames: ['x'], localdir: 'y' }),
    undefined,
  );
});
