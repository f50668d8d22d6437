import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSignPassphraseSource } from '../../src/cli/passphrase.ts';
import { readSecret, readSecretText } from '../../src/profiles/secrets.ts';

const lost = { OWN: 'caf\ufffd', SIGN_PASSPHRASE: 'caf\ufffd' }; // what Node makes of bytes that are no UTF-8

test('readSecret() refuses text that has lost bytes, wherever it comes from', async () => {
  const origin = 'passphrase-env in p.toml';
  assert.deepEqual(
    await readSecret({ form: 'env', value: 'OWN', origin }, { OWN: 'café\nmore' }),
    Buffer.from('café'),
  );
  await assert.rejects(
    readSecret({ form: 'env', value: 'OWN', origin }, lost),
    /^BackupError: the environment variable OWN is not UTF-8; use a file in place of passphrase-env in p\.toml/,
  );
  await assert.rejects(
    readSecret({ form: 'inline', value: lost.OWN, origin: 'passphrase in p.toml' }, {}),
    /passphrase in p\.toml is not UTF-8/,
  );
});

test('what services ask for may stand in a file from Windows; a passphrase keeps what gpg counts', async () => {
  const source = { form: 'env', value: 'OWN', origin: 'password-env in p.toml' } as const;
  const environment = { OWN: 's3cret\r\nmore' };
  assert.equal(await readSecretText(source, environment), 's3cret');
  assert.deepEqual(await readSecret(source, environment), Buffer.from('s3cret\r'));
});

test('SIGN_PASSPHRASE is refused as PASSPHRASE is, but only where something is signed', async () => {
  const asked = () => assert.fail('nobody is to be asked');
  const source = createSignPassphraseSource(lost, asked);
  await assert.rejects(source(), /SIGN_PASSPHRASE is not UTF-8; use sign-passphrase-file in a profile/);
});
