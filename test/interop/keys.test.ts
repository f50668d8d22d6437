/** Archives sealed for public keys and signed, with real gpg keys: either program goes on with the other's chain. */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGpgHome, type GpgHome } from '../keys/support.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needTool } from '../support/tools.ts';

const ecc = { algorithm: 'ed25519', encryption: 'cv25519' };
const rsa = { algorithm: 'rsa2048', encryption: 'rsa2048' };

function setUp(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  mkdirSync(source);
  const random = createRandom('keys');
  writeFileSync(join(source, 'a'), random.bytes(300_000));
  writeFileSync(join(source, 'b'), 'text '.repeat(10_000));
  const folder = join(program.home, 'target');
  const run = async (home: GpgHome | undefined, args: readonly string[], more: Record<string, string> = {}) =>
    program.run(args, { env: { ...(home && { GNUPGHOME: home.home }), ...more } });
  const must = async (...args: Parameters<typeof run>) => expectStatus(await run(...args));
  return { program, source, folder, url: `file://${folder}`, run, must };
}

test('a chain whose next set is sealed for somebody else is warned of once', async t => {
  if (!needTool(t, 'gpg')) return;
  const { source, url, must } = setUp(t);
  const gpg = createGpgHome(t);
  const ann = gpg.makeKey({ name: 'Ann <ann@example.org>', ...ecc });
  const ben = gpg.makeKey({ name: 'Ben <ben@example.org>', ...ecc });
  const key = 'key 0x[0-9A-F]{16}';
  const backup = async (now: readonly string[], warning?: string) => {
    appendFileSync(join(source, 'a'), 'more');
    const { stderr } = await must(gpg, ['backup', ...now, source, url], { PASSPHRASE: 'secret' });
    if (warning === undefined) assert.doesNotMatch(stderr, /sealed for/);
    else assert.match(stderr, new RegExp(`^Warning: What .* was sealed for ${warning}: .* takes both`, 'm'));
  };
  await backup([]);
  await backup([]);
  await backup(['--encrypt-key', ann], `a passphrase, and what comes is sealed for ${key}`);
  await backup(['--encrypt-key', ann]);
  await backup(['--encrypt-key', ann, '--encrypt-key', ben]);
  await backup(['--encrypt-key', ben]);
  await backup(['--encrypt-key', ann], `${key}, and what comes is sealed for ${key}`);
  await backup(['--hidden-encrypt-key', ben]); // it may be the same
  await backup([], 'a hidden key, and what comes is sealed for a passphrase');
});

test('a chain for two keys, one of them hidden, and signed, is shared with duplicity', async t => {
  if (!needTool(t, 'duplicity', 'gpg')) return;
  const { program, source, url, must } = setUp(t);
  const gpg = createGpgHome(t);
  const ann = gpg.makeKey({ name: 'Ann <ann@example.org>', ...ecc });
  const ben = gpg.makeKey({ name: 'Ben <ben@example.org>', ...rsa });
  const keys = ['--encrypt-key', ann, '--hidden-encrypt-key', ben, '--sign-key', ann];
  // gpg refuses what duplicity makes of a visible and a hidden recipient together with a signer.
  const theirs = ['--encrypt-key', ann, '--encrypt-key', ben, '--sign-key', ann, '--allow-source-mismatch'];
  const trusted = ['--gpg-options=--trust-model=always'];
  const env = { GNUPGHOME: gpg.home, PASSPHRASE: '' };
  const duplicity = createDuplicity(t);

  await must(gpg, ['full', ...keys, source, url]);
  appendFileSync(join(source, 'a'), 'more');
  await duplicity.incremental(source, url, { env, args: [...theirs, ...trusted] });
  appendFileSync(join(source, 'b'), 'more');
  await must(gpg, ['incremental', ...keys, '--allow-source-mismatch', ...trusted, source, url]);

  const expected = snapshotTree(source);
  await duplicity.restore(url, join(program.home, 'theirs'), { env, args: ['--sign-key', ann, ...trusted] });
  assertSameTree(snapshotTree(join(program.home, 'theirs')), expected);
  for (const [name, options] of Object.entries({ named: ['--sign-key', ann], unnamed: [] })) {
    await must(gpg, ['restore', ...options, url, name]);
    assertSameTree(snapshotTree(join(program.home, name)), expected);
  }
  await must(gpg, ['verify', '--sign-key', ann, '--compare-data', url, source]);
});

test('a key that gpg.conf adds to all recipients opens what either program stored', async t => {
  if (!needTool(t, 'duplicity', 'gpg')) return;
  const { program, source, url, run, must } = setUp(t);
  const gpg = createGpgHome(t);
  const ann = gpg.makeKey({ name: 'Ann <ann@example.org>', ...ecc });
  const vault = gpg.makeKey({ name: 'Vault <vault@example.org>', ...rsa });
  const conf = join(gpg.home, 'gpg.conf');
  const vaultKey = gpg.exportKey(vault, 'secret');
  writeFileSync(conf, `# for the day when Ann's key is lost\nencrypt-to ${vault}\n`);
  const env = { GNUPGHOME: gpg.home, PASSPHRASE: '' };
  await createDuplicity(t).full(source, url, {
    env,
    args: ['--encrypt-key', ann, '--gpg-options=--trust-model=always'],
  });
  appendFileSync(join(source, 'b'), 'more');
  await must(gpg, ['incremental', '--encrypt-key', ann, '--allow-source-mismatch', source, url]);

  const bare = createGpgHome(t);
  await must(bare, ['restore', '--decrypt-key', vaultKey, url, 'out']);
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));

  writeFileSync(conf, `encrypt-to ${'0'.repeat(40)}\n`);
  const words = ['full', '--encrypt-key', ann, source, `${url}-2`];
  const refused = await run(gpg, words);
  assert.equal(refused.status, 2, refused.stderr);
  assert.match(refused.stderr, /gpg\.conf.*--no-encrypt-to/);
  await must(gpg, [...words, '--gpg-options=--no-encrypt-to']);
});

test('a machine that holds only the public key backs up for ever, and cannot read what it wrote', async t => {
  if (!needTool(t, 'gpg')) return;
  const { program, source, folder, url, run, must } = setUp(t);
  const owner = createGpgHome(t);
  const id = owner.makeKey({ name: 'owner', ...rsa, passphrase: 'locked' });
  const publicKey = owner.exportKey(id, 'public', undefined, true);
  const client = createGpgHome(t);

  await must(client, ['full', '--encrypt-key', publicKey, source, url]);
  for (const change of ['first', 'second']) {
    appendFileSync(join(source, 'a'), change);
    const { stdout } = await must(client, ['incremental', '--encrypt-key', publicKey, source, url]);
    assert.match(stdout, /^ChangedFiles 1$/m);
  }
  const refused = await run(client, ['restore', url, 'refused']);
  assert.equal(refused.status, 12, refused.stderr);
  assert.match(refused.stderr, /^Error: .*key/m);

  // What it can prove is proved, and told as that; a damaged volume and one that is gone are found.
  const check = ['check', '--encrypt-key', publicKey, url];
  const proved = await must(client, check);
  assert.match(proved.stderr, /^The private key is not on this machine: nothing is opened/m);
  assert.match(
    proved.stdout,
    /3 of 3 objects read .* 3 are proved by their checksums alone, .* no fault found\.$/m,
  );
  const [volume, other] = readdirSync(folder).filter(name => /\.vol1\./.test(name));
  const [path, absent] = [join(folder, volume!), join(folder, other!)];
  const [whole, second] = [readFileSync(path), readFileSync(absent)];
  writeFileSync(path, Buffer.from(whole).fill(~whole[500]! & 0xff, 500, 501));
  rmSync(absent);
  const told = await run(client, check);
  assert.equal(told.status, 1, told.stderr);
  assert.match(
    told.stderr,
    /^Error: volume 1 of the full .* is damaged: .*; it held what lies from \. to b$/m,
  );
  assert.match(told.stderr, /^Error: volume 1 of the incremental .* is not at the target; it held /m);
  assert.match(told.stderr, /^Warning: the newest chain, begun by the full backup of /m);
  assert.match(told.stdout, /, 1 are proved by .*, 2 faults found\.$/m);
  const unnamed = await run(client, ['check', url]);
  assert.equal(unnamed.status, 12, 'who does not say that the key is elsewhere wants it opened');
  writeFileSync(path, whole);
  writeFileSync(absent, second);

  // A copy that is damaged can't be had again, and must not end all backups.
  const cache = join(program.home, '.cache/tsbackup');
  const copies = join(cache, readdirSync(cache)[0]!);
  const newest = join(
    copies,
    readdirSync(copies)
      .filter(name => /^duplicity-inc.*manifest$/.test(name))
      .at(-1)!,
  );
  const text = readFileSync(newest, 'latin1').replace(/EndingPath {5}./, 'EndingPath     z');
  writeFileSync(newest, text, 'latin1');
  const stuck = await run(client, ['incremental', '--encrypt-key', publicKey, source, url]);
  assert.equal(stuck.status, 12, stuck.stderr);
  const anew = await must(client, ['--encrypt-key', publicKey, source, url]);
  assert.match(anew.stderr, /^Warning: the chain can't be continued: .* Switching to a full backup\.$/m);

  // Without its cache it needs to read, which it cannot.
  rmSync(join(program.home, '.cache'), { recursive: true });
  const blind = await run(client, ['incremental', '--encrypt-key', publicKey, source, url]);
  assert.equal(blind.status, 12, blind.stderr);
  const nothing = await run(client, check);
  assert.equal(nothing.status, 1, nothing.stderr);
  assert.match(nothing.stderr, /^Warning: the archive cache has no manifest of the full /m);
  assert.match(nothing.stderr, /^Error: nothing can be proved here/m);

  const secretKey = owner.exportKey(id, 'secret', 'locked');
  const expected = snapshotTree(source);
  await must(undefined, ['restore', '--decrypt-key', secretKey, url, 'by file'], { PASSPHRASE: 'locked' });
  assertSameTree(snapshotTree(join(program.home, 'by file')), expected);
  await must(owner, ['restore', url, 'by gpg'], { PASSPHRASE: 'locked' });
  assertSameTree(snapshotTree(join(program.home, 'by gpg')), expected);
});

test('what the named key has not signed is not restored', async t => {
  if (!needTool(t, 'gpg')) return;
  const { program, source, folder, url, run, must } = setUp(t);
  const gpg = createGpgHome(t);
  const ann = gpg.makeKey({ name: 'ann', ...ecc });
  const eve = gpg.makeKey({ name: 'eve', ...ecc });
  await must(gpg, ['full', '--encrypt-key', ann, '--sign-key', eve, source, url]);
  const wrong = await run(gpg, ['restore', '--sign-key', ann, url, 'wrong']);
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /volume 1 of the full backup of \S+ is not signed as it must be/);
  assert.deepEqual(
    snapshotTree(join(program.home, 'wrong')).filter(({ type }) => type === 'file'),
    [],
  );
  await must(gpg, ['full', '--encrypt-sign-key', ann, source, url]);
  await must(gpg, ['restore', '--sign-key', ann, url, 'right']);
  assertSameTree(snapshotTree(join(program.home, 'right')), snapshotTree(source));

  const unsigned = join(program.home, 'unsigned');
  await must(gpg, ['full', '--encrypt-key', ann, source, `file://${unsigned}`]);
  const nothing = await run(gpg, ['restore', '--sign-key', ann, `file://${unsigned}`, 'nothing']);
  assert.notEqual(nothing.status, 0);

  // A volume in the place of another, sealed for the same key but not signed by it.
  const volume = (place: string) =>
    readdirSync(place)
      .filter(name => name.includes('.vol1.'))
      .sort()
      .at(-1)!;
  writeFileSync(join(folder, volume(folder)), readFileSync(join(unsigned, volume(unsigned))));
  const swapped = await run(gpg, ['restore', '--sign-key', ann, url, 'swapped']);
  assert.equal(swapped.status, 1);
});

for (const [options, message] of [
  [['--encrypt-key', 'nobody@example.org'], /^Error: .*nobody@example\.org/m],
  [['--encrypt-key', 'no key'], /^Error: .*--encrypt-key/m],
  [['--encrypt-key', './missing.asc'], /^Error: .*missing\.asc/m],
] as const) {
  test(`backup ${options.join(' ')} is refused in a sentence`, async t => {
    if (!needTool(t, 'gpg')) return;
    const { source, folder, url, run } = setUp(t);
    const result = await run(createGpgHome(t), ['full', ...options, source, url]);
    assert.ok(result.status === 2 || result.status === 12, `${result.status}: ${result.stderr}`);
    assert.match(result.stderr, message);
    assert.throws(() => readdirSync(folder));
  });
}

test('a set that was interrupted is continued for the same keys, and for no others', async t => {
  if (!needTool(t, 'gpg')) return;
  const { program, source, folder, url, run, must } = setUp(t);
  const gpg = createGpgHome(t);
  const [old, fresh] = ['old', 'fresh'].map(name => gpg.makeKey({ name, ...rsa })) as [string, string];
  const random = createRandom('interrupted');
  for (let i = 0; i < 60; i++) writeFileSync(join(source, `file ${i}`), random.bytes(1_000_000));
  const env = { GNUPGHOME: gpg.home };
  const full = ['full', '--volsize', '1', source, url];
  const running = program.start([...full, '--encrypt-key', old], { env });
  const isThere = () => existsSync(folder) && readdirSync(folder).some(name => name.includes('.vol2.'));
  while (!isThere()) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be interrupted');
    await sleep(5);
  }
  running.kill('SIGTERM');
  expectStatus(await running.done, 143);

  const key = (id: string) => `0x${id.slice(-16)}`;
  for (const [words, wanted, passphrase] of [
    [['--encrypt-key', fresh], `encrypted for ${key(fresh)}`, {}],
    [[], 'encrypted with a passphrase', { PASSPHRASE: 'right' }],
    [['--encrypt-key', old, '--sign-key', old], `signed by ${key(old)}`, {}],
  ] as const) {
    const { stderr } = expectStatus(await run(gpg, [...full, ...words], passphrase), 2);
    const was = words.length === 4 ? 'unsigned' : `encrypted for ${key(old)}`;
    assert.match(stderr, new RegExp(`^Error: the interrupted full .* is ${was}, not ${wanted}; go on in `));
  }
  assert.match((await must(gpg, [...full, '--encrypt-key', old])).stdout, /^Continuing the full backup/m);
  await must(gpg, ['restore', url, 'out']);
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
});
