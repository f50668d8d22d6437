import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { comparePaths, isWithin } from '../../src/bytes.ts';
import type { Manifest, VolumeEntry } from '../../src/manifest/manifest.ts';
import { volumesFor } from '../../src/manifest/volume-choice.ts';

const manifest = (...spans: (readonly [start: string, end: string, resumed?: true])[]): Manifest => ({
  volumes: spans.map(([start, end, resumed], index) => ({
    number: index + 1,
    start: { path: start },
    end: { path: end },
    ...(resumed && { resumed }),
  })),
  ending: 'filelist',
});
const chosen = (from: Manifest, paths: string | string[]) =>
  volumesFor(from, paths).map(volume => volume.number);

test('volumesFor() chooses the volumes whose span meets a path or what is below it', () => {
  const set = manifest(['', 'a/x'], ['a/x', 'a/z'], ['a!', 'c'], ['c/d', 'c/d']);
  assert.deepEqual(chosen(set, ''), [1, 2, 3, 4]);
  assert.deepEqual(chosen(set, 'a'), [1, 2]);
  assert.deepEqual(chosen(set, 'a/x'), [1, 2]);
  assert.deepEqual(chosen(set, 'a/y'), [2]);
  assert.deepEqual(chosen(set, 'a!'), [3]);
  assert.deepEqual(chosen(set, 'c'), [3, 4]);
  assert.deepEqual(chosen(set, 'c/d/e'), []);
  assert.deepEqual(chosen(set, ['c/d', 'a/y']), [2, 4]);
  assert.deepEqual(chosen(set, []), []);
});

test('volumesFor() lets a resumed volume start where the one before ended', () => {
  assert.deepEqual(chosen(manifest(['', 'a'], ['f', 'g', true]), 'b'), [2]);
  assert.deepEqual(chosen(manifest(['', 'a'], ['f', 'g']), 'b'), []);
});

test('volumesFor() finds every volume that holds an entry of the path', () =>
  fc.assert(
    fc.property(
      fc.uniqueArray(
        fc.array(fc.constantFrom('a', 'b', '!'), { minLength: 1, maxLength: 3 }).map(p => p.join('/')),
        {
          minLength: 2,
          maxLength: 20,
        },
      ),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(),
      (names, perVolume, pick) => {
        const paths = names.sort(comparePaths);
        const volumes: VolumeEntry[] = [];
        for (let i = 0; i < paths.length; i += perVolume) {
          const last = paths[Math.min(i + perVolume, paths.length) - 1]!;
          volumes.push({ number: volumes.length + 1, start: { path: paths[i]! }, end: { path: last } });
        }
        const wanted = paths[pick % paths.length]!;
        const found = new Set(chosen({ volumes, ending: 'filelist' }, wanted));
        for (const [index, path] of paths.entries()) {
          if (isWithin(path, wanted)) assert.ok(found.has(Math.floor(index / perVolume) + 1), path);
        }
      },
    ),
  ));
