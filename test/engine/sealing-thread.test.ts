import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { SLAB_SIZE } from '../../src/engine/batch.ts';
import { createSealingThread } from '../../src/engine/sealing-thread.ts';
import { createEnvelope, type OpenSealer } from '../../src/volumes/envelope.ts';
import { cheapKey, noise, pretendRandom, text } from '../volumes/openpgp-support.ts';

const chunks = [
  ...[SLAB_SIZE, 400_000, SLAB_SIZE, 70_000, SLAB_SIZE, SLAB_SIZE, 500_000].map((size, i) =>
    noise(size, `${i}`),
  ),
  text(SLAB_SIZE),
  noise(2 * SLAB_SIZE),
  noise(SLAB_SIZE),
];

/** As volumes are made: several chunks in flight, and what has been stored is overwritten and given back. */
async function seal(compress: boolean, openSealer?: OpenSealer): Promise<{ stored: Buffer; sha1: string }> {
  const envelope = createEnvelope({
    ...{ form: 'gpg', key: cheapKey(), random: pretendRandom, mtimeSeconds: 1, compress, openSealer },
  });
  const stored = [Buffer.from(await envelope.start())];
  const inFlight: Promise<Uint8Array>[] = [];
  const finish = async () => {
    const bytes = await inFlight.shift()!;
    stored.push(Buffer.from(bytes));
    bytes.fill(0xee);
    envelope.recycle(bytes);
  };
  for (const chunk of chunks) {
    inFlight.push(envelope.push(chunk));
    if (inFlight.length === 4) await finish();
  }
  while (inFlight.length > 0) await finish();
  stored.push(Buffer.from(await envelope.end()));
  return { stored: Buffer.concat(stored), sha1: envelope.sha1() };
}

test('the sealing thread makes the bytes that this thread would make, though its buffers go round', async () => {
  const thread = createSealingThread();
  try {
    for (const compress of [true, false]) {
      const expected = await seal(compress);
      const { stored, sha1 } = await seal(compress, thread.openSealer);
      assert.ok(stored.equals(expected.stored), `compress: ${compress}`);
      assert.equal(sha1, expected.sha1);
      assert.equal(sha1, createHash('sha1').update(stored).digest('hex'));
    }
  } finally {
    await thread.close();
  }
});
