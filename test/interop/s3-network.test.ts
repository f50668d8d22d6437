/** The way to the service as networks have it: proxies, authorities of one's own, and what goes wrong with either. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { exitStatus } from '../../src/errors.ts';
import { makeCertificate } from '../support/certificates.ts';
import { expectStatus, type RunResult } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTlsBefore, startWebProxy } from '../support/web-proxy.ts';

const passphrase = 'on the way';
const login = 'ann:se%kret';
const withLogin = (place: string) => `http://ann:se%25kret@${place}`;

/** A server with TLS and without, a source, and a way to run the program. */
async function setUp(t: TestContext) {
  const base = tempDir(t);
  const server = await startS3Server();
  t.after(() => server.close());
  const made = makeCertificate({ names: ['nas.test'] });
  const tlsPort = await startTlsBefore(t, server.port, made);
  const bundle = join(base, 'ca.pem');
  writeFileSync(bundle, `Ours:\n${made.cert}`);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), createRandom('network').bytes(7_000_000));
  writeFileSync(join(source, 'small'), 'small');
  const program = createProgram(t);
  const run = (args: readonly string[], env: Record<string, string>) =>
    program.run([...args, '--retry-for', '1', '--num-retries', '2', '--timeout', '5'], {
      passphrase,
      env: { ...credentials, ...env },
      timeoutMs: 60_000,
    });
  let runs = 0;
  /** Backs up, and restores without a cache. */
  async function roundTrip(endpoint: string, env: Record<string, string>): Promise<void> {
    const url = `s3://${BUCKET}/a b/${++runs}`;
    const options = ['--s3-endpoint-url', endpoint];
    expectStatus(await run(['full', source, url, ...options], env));
    const restored = join(base, `restored ${runs}`);
    const other = ['--archive-dir', join(base, `cache ${runs}`)];
    expectStatus(await run(['restore', url, restored, ...options, ...other], env));
    assertSameTree(snapshotTree(restored), snapshotTree(source));
  }
  const look = (endpoint: string, env: Record<string, string>) =>
    run(['collection-status', `s3://${BUCKET}/x`, '--s3-endpoint-url', endpoint], env);
  return { base, server, tlsPort, bundle, made, program, roundTrip, look };
}

/** One line of an error, without anything secret, and the status of a target that can't be reached. */
function assertTold(
  { status, stderr }: RunResult,
  told: RegExp,
  expected: number = exitStatus.targetUnreachable,
) {
  assert.match(stderr.replace(/^Trying again .*\n/gm, ''), /^Error: [^\n]+\n$/);
  assert.match(stderr, told);
  assert.doesNotMatch(stderr, /kret/);
  assert.equal(status, expected);
}

test('backups go through a proxy, with TLS in a tunnel, without it by whole addresses', async t => {
  const { tlsPort, server, bundle, roundTrip } = await setUp(t);
  const proxy = await startWebProxy(t, { login });
  const env = { HTTPS_PROXY: withLogin(proxy.place), HTTP_PROXY: withLogin(proxy.place) };
  await roundTrip(`https://nas.test:${tlsPort}`, { ...env, AWS_CA_BUNDLE: bundle });
  assert.ok(proxy.asked.length <= 8, `${proxy.asked.length} tunnels`); // they are used again, for twice as many requests
  assert.deepEqual([...new Set(proxy.asked)], [`CONNECT nas.test:${tlsPort}`]);
  proxy.asked.length = 0;
  await roundTrip(`http://nas.test:${server.port}`, env);
  assert.ok(proxy.asked.every(asked => asked.split(' ')[1]?.startsWith(`http://nas.test:${server.port}/`)));
  assert.ok(proxy.asked.some(asked => asked.startsWith('PUT ')));
});

test('NO_PROXY excepts the server, with TLS and without', async t => {
  const { tlsPort, server, bundle, roundTrip } = await setUp(t);
  const dead = { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1' };
  await roundTrip(`https://127.0.0.1:${tlsPort}`, { ...dead, AWS_CA_BUNDLE: bundle });
  await roundTrip(`http://127.0.0.1:${server.port}`, dead);
});

test('what a proxy refuses, or is, is told in one line that names it', async t => {
  const { look, tlsPort, server, bundle } = await setUp(t);
  const endpoints = [`https://nas.test:${tlsPort}`, `http://nas.test:${server.port}`];
  const both = (value: string) => ({ HTTPS_PROXY: value, HTTP_PROXY: value, AWS_CA_BUNDLE: bundle });
  const careful = await startWebProxy(t, { login });
  const page = '<html>Please log in</html>';
  const answering = (status: string) =>
    startWebProxy(t, {
      instead: (_, socket) => {
        const head = `HTTP/1.1 ${status}\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n`;
        socket.end(head + page);
      },
    });
  const forbids = await answering('403 Forbidden');
  const isBusy = await answering('503 Service Unavailable');
  const silent = await startWebProxy(t, { instead: () => {} });
  const ends = await startWebProxy(t, { instead: (_, socket) => socket.destroy() });
  const cases: [what: string, value: string, told: (place: string) => RegExp, place: string][] = [
    [
      'no password',
      `http://${careful.place}`,
      place => new RegExp(`the proxy ${place} wants another`),
      careful.place,
    ],
    [
      'a wrong password',
      `http://ann:other-kret@${careful.place}`,
      place => new RegExp(`the proxy ${place} wants another.*HTTPS_PROXY`),
      careful.place,
    ],
    [
      'a dead proxy',
      'http://ann:kret@127.0.0.1:9',
      place => new RegExp(`the proxy ${place}.*ECONNREFUSED`),
      '127.0.0.1:9',
    ],
    [
      'a proxy that forbids',
      `http://${forbids.place}`,
      place => new RegExp(`the proxy ${place} does not let`),
      forbids.place,
    ],
    [
      'a proxy that fails',
      `http://${isBusy.place}`,
      place => new RegExp(`the proxy ${place} does not get through`),
      isBusy.place,
    ],
    [
      'a proxy that is silent',
      `http://${silent.place}`,
      place => new RegExp(`the proxy ${place}.*does not answer`),
      silent.place,
    ],
    [
      'a proxy that hangs up',
      `http://${ends.place}`,
      place => new RegExp(`the proxy ${place}.*does not answer`),
      ends.place,
    ],
  ];
  for (const [what, value, told, place] of cases) {
    for (const endpoint of endpoints) {
      await t.test(`${what}, ${endpoint.slice(0, 5)}`, async () => {
        assertTold(await look(endpoint, both(value)), told(place));
      });
    }
  }
  await t.test('no proxy at all', async () => {
    const value = 'socks5://ann:kret@127.0.0.1:1080';
    assertTold(await look(endpoints[0]!, both(value)), /HTTPS_PROXY names no proxy/, exitStatus.usage);
  });
  await t.test('a page of the network’s in the place of everything', async () => {
    const captive = await answering('200 OK');
    assertTold(await look(endpoints[0]!, both(captive.place)), new RegExp(`the proxy ${captive.place}`));
    assertTold(await look(endpoints[1]!, both(captive.place)), /does not speak S3/);
  });
});

test('the metadata of a container is asked without a proxy, the portal of a login through it', async t => {
  const { server, program } = await setUp(t);
  const keys = {
    AccessKeyId: 'S3RVER',
    SecretAccessKey: 'S3RVER',
    Token: 't',
    Expiration: '2099-01-01T00:00:00Z',
  };
  const roleCredentials = {
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    sessionToken: 't',
    expiration: 4e12,
  };
  const metadata = createServer((request, answer) =>
    answer.end(JSON.stringify(request.url?.startsWith('/federation') ? { roleCredentials } : keys)),
  );
  await new Promise<void>(resolve => metadata.listen(0, '127.0.0.1', resolve));
  t.after(() => metadata.close());
  const { port } = metadata.address() as AddressInfo;
  const proxy = await startWebProxy(t);
  const config = join(program.home, 'config');
  writeFileSync(
    config,
    '[default]\nsso_start_url = https://x.invalid\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = r\n',
  );
  mkdirSync(join(program.home, '.aws/sso/cache'), { recursive: true });
  writeFileSync(
    join(
      program.home,
      '.aws/sso/cache',
      `${createHash('sha1').update('https://x.invalid').digest('hex')}.json`,
    ),
    JSON.stringify({
      startUrl: 'https://x.invalid',
      region: 'eu-west-1',
      accessToken: 'a',
      expiresAt: keys.Expiration,
    }),
  );
  const words = ['collection-status', `s3://${BUCKET}/x`, '--s3-endpoint-url', server.url];
  const env = { HTTP_PROXY: proxy.place, AWS_EC2_METADATA_DISABLED: 'true' };
  const container = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/keys` };
  expectStatus(await program.run(words, { env: { ...env, ...container } }));
  assert.ok(proxy.asked.length > 0 && proxy.asked.every(asked => asked.includes(`:${server.port}/`)));
  const portal = { AWS_CONFIG_FILE: config, AWS_ENDPOINT_URL_SSO: `http://portal.test:${port}` };
  expectStatus(await program.run(words, { env: { ...env, ...portal } }));
  assert.ok(proxy.asked.some(asked => asked.startsWith(`GET http://portal.test:${port}/federation`)));
});

test('authorities of one’s own are trusted besides the system’s, and what is wrong with them is told', async t => {
  const { base, tlsPort, bundle, made, look } = await setUp(t);
  const endpoint = `https://127.0.0.1:${tlsPort}`;
  assertTold(await look(endpoint, {}), /AWS_CA_BUNDLE/);
  expectStatus(await look(endpoint, { AWS_CA_BUNDLE: bundle }));
  const config = join(base, 'config');
  writeFileSync(config, `[default]\nca_bundle = /nowhere\n[profile home]\nca_bundle = ${bundle} # ours\n`);
  expectStatus(
    await look(endpoint, {
      AWS_CONFIG_FILE: config,
      AWS_PROFILE: 'home',
      AWS_SHARED_CREDENTIALS_FILE: keysFile(),
    }),
  );
  const other = join(base, 'other.pem');
  writeFileSync(other, makeCertificate().cert);
  // The file for Node.js counts too.
  expectStatus(await look(endpoint, { AWS_CA_BUNDLE: other, NODE_EXTRA_CA_CERTS: bundle }));
  assertTold(await look(endpoint, { AWS_CA_BUNDLE: other }), /TLS certificate/);
  // What the library throws at once leaves its timer behind.
  assertTold(await look(endpoint, { AWS_SESSION_TOKEN: 'a→b' }), /Can't list objects .*x-amz-security-token/);

  const wrong = (env: Record<string, string>, told: RegExp) => async () =>
    assertTold(await look(endpoint, env), told, exitStatus.usage);
  await wrong({ AWS_CA_BUNDLE: '/nowhere' }, /AWS_CA_BUNDLE names.*\/nowhere: ENOENT/)();
  await wrong({ AWS_CONFIG_FILE: config }, /ca_bundle of the AWS profile.*\/nowhere: ENOENT/)();
  await wrong({ AWS_CA_BUNDLE: base }, /EISDIR/)();
  writeFileSync(other, made.key);
  await wrong({ AWS_CA_BUNDLE: other }, /no certificate in PEM form/)();
  writeFileSync(other, made.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'));
  await wrong({ AWS_CA_BUNDLE: other }, /a certificate in it is damaged/)();

  function keysFile(): string {
    const file = join(base, 'keys');
    writeFileSync(file, '[home]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n');
    return file;
  }
});

test('a certificate that does not fit is told with what to do', async t => {
  const { base, server, look } = await setUp(t);
  const behind = async (options: Parameters<typeof makeCertificate>[0]) => {
    const made = makeCertificate(options);
    const bundle = join(base, 'one.pem');
    writeFileSync(bundle, made.cert);
    const port = await startTlsBefore(t, server.port, made);
    return look(`https://127.0.0.1:${port}`, { AWS_CA_BUNDLE: bundle });
  };
  assertTold(await behind({ from: -9, to: -2 }), /expired by this computer's clock/);
  assertTold(await behind({ from: 2, to: 9 }), /not valid yet by this computer's clock/);
  assertTold(await behind({ addresses: ['10.1.2.3'] }), /is for another host/);
  assertTold(await look(`https://127.0.0.1:${server.port}`, {}), /http:\/\//);
});
