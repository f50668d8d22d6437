import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { generateKey } from 'openpgp';
import type { ErrorCode } from '../../src/errors.ts';
import { BackupError } from '../../src/errors.ts';
import { createKeys, type KeysOptions } from '../../src/keys/keys.ts';
import { createRecipients } from '../../src/keys/recipients.ts';
import { prepareSessionKey } from '../../src/volumes/openpgp-session.ts';
import { needTool } from '../support/tools.ts';
import { noise, text } from '../volumes/openpgp-support.ts';
import { createGpgHome, type GpgHome, openSealed, seal } from './support.ts';

const words = 'pä ss%wörd';
const nowSeconds = () => Math.floor(Date.now() / 1000);
const plain = Buffer.concat([text(150_000), noise(100_000)]);

const keysOf = (options: Partial<KeysOptions>, passphrase = words) =>
  createKeys({
    passphrase: async () => Buffer.from(passphrase),
    signPassphrase: async () => Buffer.from(passphrase),
    nowSeconds,
    ...options,
  });

const silent: Partial<KeysOptions> = {
  passphrase: () => assert.fail('asked for a passphrase'),
  signPassphrase: () => assert.fail('asked for a passphrase'),
};

const failsWith = (code: ErrorCode, pattern: RegExp) => (error: unknown) =>
  error instanceof BackupError && error.code === code && pattern.test(error.message);

/** What gpg says about a sealed object: the content, and its lines for programs. */
function readWithGpg(home: GpgHome, message: Uint8Array, passphrase = words) {
  const { status, stdout, stderr } = home.run(['--status-fd', '2', '--decrypt'], message, passphrase);
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /WARNING: (?!Using untrusted key!)/);
  return { content: stdout, stderr };
}

const kinds = [
  { name: 'rsa', algorithm: 'rsa2048', encryption: 'rsa2048' },
  { name: 'ecc', algorithm: 'ed25519', encryption: 'cv25519' },
  { name: 'nist', algorithm: 'nistp384', encryption: 'nistp256' },
  { name: 'dsa', algorithm: 'dsa2048', encryption: 'elg1024' },
];

for (const spec of kinds)
  test(`createKeys() trades sealed and signed objects with gpg, ${spec.name}`, async t => {
    if (!needTool(t, 'gpg')) return;
    const home = createGpgHome(t);
    const gpg = { homedir: home.home };
    const id = home.makeKey({ ...spec, passphrase: words });
    const secretFile = home.exportKey(id, 'secret', words, spec.name === 'rsa');
    const inGpg = keysOf({ gpg, encryptKeys: [id], signKey: id });
    const inFile = keysOf({ encryptKeys: [secretFile], signKey: secretFile });

    for (const keys of [inGpg, inFile]) {
      const recipients = await keys.recipients();
      const signer = await keys.signer();
      const signedBy = await keys.verifier();
      for (const compress of [true, false]) {
        const key = await recipients!.prepareSessionKey(randomBytes);
        const sealed = await seal(plain, { key, signer, compress });
        const { content, stderr } = readWithGpg(home, sealed);
        assert.deepEqual(content, plain);
        assert.match(stderr, new RegExp(`GOODSIG ${id.slice(-16)}`));
        assert.deepEqual(await openSealed(sealed, inGpg.secrets, { signedBy }), plain);
        assert.deepEqual(await openSealed(sealed, inFile.secrets, { signedBy }), plain);
      }
      const theirs = home.must(['--recipient', id, '--sign', '--encrypt'], plain, words);
      assert.deepEqual(await openSealed(theirs, keys.secrets, { signedBy }), plain);
      const unsigned = home.must(['--hidden-recipient', id, '--encrypt'], plain);
      assert.deepEqual(await openSealed(unsigned, keys.secrets), plain);
      await assert.rejects(
        openSealed(unsigned, keys.secrets, { signedBy }),
        failsWith('wrong-signature', /no signature/),
      );
    }
  });

test('createKeys() uses no passphrase where keys have none', async t => {
  if (!needTool(t, 'gpg')) return;
  const home = createGpgHome(t);
  const gpg = { homedir: home.home };
  const id = home.makeKey(kinds[1]!);
  for (const options of [
    { gpg, encryptKeys: [`0x${id.toLowerCase()}`], signKey: id.slice(-8) },
    { encryptKeys: [home.exportKey(id, 'secret')], signKey: home.exportKey(id, 'secret') },
  ]) {
    const keys = keysOf({ ...options, ...silent });
    const key = await (await keys.recipients())!.prepareSessionKey(randomBytes);
    const sealed = await seal(plain, { key, signer: await keys.signer() });
    assert.deepEqual(readWithGpg(home, sealed).content, plain);
    assert.deepEqual(await openSealed(sealed, keys.secrets, { signedBy: await keys.verifier() }), plain);
  }
});

test('createKeys() signs archives to a passphrase too', async t => {
  if (!needTool(t, 'gpg')) return;
  const home = createGpgHome(t);
  const id = home.makeKey({ name: 'signer', algorithm: 'ed25519', passphrase: words });
  const keys = keysOf({ gpg: { homedir: home.home }, signKey: id });
  assert.equal(await keys.recipients(), undefined);
  const key = await prepareSessionKey(keys.secrets, randomBytes);
  const sealed = await seal(plain, { key, signer: await keys.signer() });
  const { content, stderr } = readWithGpg(home, sealed);
  assert.deepEqual(content, plain);
  assert.match(stderr, /GOODSIG/);
  assert.deepEqual(await openSealed(sealed, keys.secrets, { signedBy: await keys.verifier() }), plain);
});

test('a key that was made after what the clock says is told as that', async () => {
  const { publicKey: key } = await generateKey({ userIDs: { name: 'Ann' }, format: 'object' });
  const inTime = await createRecipients([{ key, hidden: false }], Date.now() / 1000 + 60);
  assert.equal(inTime.descriptions.length, 1);
  await assert.rejects(createRecipients([{ key, hidden: false }], 100_000), {
    code: 'usage',
    message: /^The key \S+ \(Ann\) was made on \S+, but the clock says 1970-01-02: set the clock right; /,
  });
});
