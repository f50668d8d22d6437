import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeysAhead } from '../../src/commands/keys-ahead.ts';
import type { SealingKey } from '../../src/volumes/openpgp-session.ts';

/** Keys that tell their number, and how many there are. */
function counted() {
  const made: SealingKey[] = [];
  const derive = async () => {
    const key = { algorithm: 9, key: Uint8Array.of(made.length + 1), packets: new Uint8Array() };
    made.push(key);
    return key;
  };
  const keys = createKeysAhead();
  keys.makeWith(derive);
  return { made, keys };
}

const settled = () => new Promise(resolve => setImmediate(resolve));

test('createKeysAhead() makes as many keys as there are objects, each for one, before they are asked for', async () => {
  for (const volumes of [1, 2, 5]) {
    const { made, keys } = counted();
    keys.begin();
    keys.begin();
    await settled();
    assert.equal(made.length, 3);
    const given: SealingKey[] = [];
    for (let volume = 0; volume < volumes; volume++) given.push(await keys.ofVolume());
    await settled();
    assert.equal(made.length, volumes + 2);
    given.push(...(await Promise.all([keys.ofMetadata(), keys.ofMetadata()])));
    assert.deepEqual(given, made);
  }
});

test('createKeysAhead() makes none before it is told to begin, or asked', async () => {
  const { made, keys } = counted();
  await settled();
  assert.equal(made.length, 0);
  await keys.ofVolume();
  await settled();
  assert.equal(made.length, 3);
  for (let more = 0; more < 4; more++) await keys.ofMetadata();
  assert.equal(made.length, 5);
});

test('createKeysAhead() makes no more once it is stopped, and reports a failure to who asks', async () => {
  const { made, keys: stopped } = counted();
  stopped.begin();
  stopped.stop();
  await settled();
  assert.equal(made.length, 0);

  const keys = createKeysAhead();
  keys.makeWith(async () => Promise.reject(new Error('no passphrase')));
  keys.begin();
  await settled();
  await assert.rejects(keys.ofVolume(), /no passphrase/);
});

test('createKeysAhead() has each place make one key at a time, as soon as there is a place', async () => {
  const keys = createKeysAhead();
  keys.begin();
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const place = (name: string) => () => {
    begun.push(name);
    return new Promise<SealingKey>(resolve => {
      ends.push(() => resolve({ algorithm: 9, key: Buffer.from(name), packets: new Uint8Array() }));
    });
  };
  await settled();
  keys.makeWith(place('thread'));
  await settled();
  assert.deepEqual(begun, ['thread']);
  keys.makeWith(place('here'));
  await settled();
  assert.deepEqual(begun, ['thread', 'here']);
  ends[1]!();
  await settled();
  assert.deepEqual(begun, ['thread', 'here', 'here']);
  for (const end of ends) end();
  const given = await Promise.all([keys.ofVolume(), keys.ofMetadata(), keys.ofMetadata()]);
  assert.deepEqual(
    given.map(({ key }) => Buffer.from(key).toString()),
    ['thread', 'here', 'here'],
  );
});
