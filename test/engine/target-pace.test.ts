import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTargetPace } from '../../src/engine/target-pace.ts';

test('createTargetPace() has time once the target was waited for most of the time, for long', () => {
  const pace = createTargetPace();
  assert.equal(pace.hasTime(), false);
  pace.waited(5000);
  assert.equal(pace.hasTime(), false, 'a disk that writes');
  for (let second = 0; second < 30; second++) {
    pace.waited(900);
    pace.worked(100);
  }
  assert.equal(pace.hasTime(), true);
});

test('createTargetPace() has none any more once other work takes a good part of it', () => {
  const pace = createTargetPace();
  pace.waited(60_000);
  assert.equal(pace.hasTime(), true);
  for (let second = 0; second < 30; second++) {
    pace.waited(600);
    pace.worked(400);
  }
  assert.equal(pace.hasTime(), false);
});
