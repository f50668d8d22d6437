/** Where the program that people run finds credentials for S3: everything that the SDK's default chain knows. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { exitStatus } from '../../src/errors.ts';
import { type Seen, s3Error, startFaultProxy } from '../support/fault-proxy.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import type { Scope } from '../support/temp-dir.ts';

const keys = {
  AccessKeyId: credentials.AWS_ACCESS_KEY_ID,
  SecretAccessKey: credentials.AWS_SECRET_ACCESS_KEY,
};

const later = new Date(Date.now() + 3_600_000).toISOString();
const role = 'arn:aws:iam::123456789012:role/backup';

/** What a container, or a machine of Amazon's, is told about itself; also the portal of logins and the giver of roles. */
async function startMetadata(t: Scope): Promise<string> {
  const session = { ...keys, Token: 'session', Expiration: later };
  const server = createServer(async (request, answer) => {
    const { url = '', method, headers } = request;
    if (url.startsWith('/latest/api/token')) answer.end('token');
    else if (url.endsWith('/security-credentials/')) answer.end('a-role');
    else if (url.startsWith('/federation/credentials')) answer.end(portalAnswer(url, headers));
    else if (method === 'POST') answer.end(roleAnswer(new URLSearchParams(await text(request))));
    else answer.end(JSON.stringify({ ...session, Code: 'Success', Type: 'AWS-HMAC' }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** @see AWS IAM Identity Center, GetRoleCredentials */
function portalAnswer(url: string, { 'x-amz-sso_bearer_token': token }: IncomingHttpHeaders): string {
  const asked = new URL(url, 'http://portal').searchParams;
  if (token !== 'the login' || asked.get('role_name') !== 'r' || asked.get('account_id') !== '1') return '{}';
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = keys;
  return JSON.stringify({
    roleCredentials: { accessKeyId, secretAccessKey, sessionToken: 'session', expiration: Date.parse(later) },
  });
}

/** @see AWS STS, AssumeRole and AssumeRoleWithWebIdentity */
function roleAnswer(asked: URLSearchParams): string {
  const action = asked.get('Action');
  const isSigned = action === 'AssumeRole' || asked.get('WebIdentityToken') === 'the identity';
  if (!isSigned || asked.get('RoleArn') !== role) return '';
  const fields = { ...keys, SessionToken: 'session', Expiration: later };
  const credentials = Object.entries(fields).map(([name, value]) => `<${name}>${value}</${name}>`);
  return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>
    ${credentials.join('')}</Credentials></${action}Result></${action}Response>`;
}

test('credentials come from all the places that the SDK knows, and what is wrong with them is said', async t => {
  const server = await startS3Server();
  t.after(() => server.close());
  const metadata = await startMetadata(t);
  const program = createProgram(t);
  const folder = join(program.home, '.aws');
  mkdirSync(folder);
  const written = (id: string, secret: string) =>
    `aws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`;
  const ours = written(keys.AccessKeyId, keys.SecretAccessKey);
  const command = join(folder, 'say-keys');
  writeFileSync(command, `#!/bin/sh\necho '${JSON.stringify({ Version: 1, ...keys })}'\n`);
  chmodSync(command, 0o700);
  writeFileSync(join(folder, 'credentials'), `[stored]\n${ours}`);
  writeFileSync(
    join(folder, 'config'),
    `[profile configured]\nregion = eu-west-1\n${ours}
[profile told]\ncredential_process = ${command}
[profile broken]\ncredential_process = ${command}-not sekret
[profile signed-out]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r
[profile signed-in]\nsso_session = i\nsso_account_id = 1\nsso_role_name = r
[profile on-behalf]\nrole_arn = ${role}\nsource_profile = stored\nregion = eu-west-1
[sso-session s]\nsso_start_url = https://x.invalid/start\nsso_region = eu-west-1
[sso-session i]\nsso_start_url = https://x.invalid/start\nsso_region = eu-west-1\n`,
  );
  const login = { startUrl: 'https://x.invalid/start', region: 'eu-west-1', accessToken: 'the login' };
  mkdirSync(join(folder, 'sso/cache'), { recursive: true });
  writeFileSync(
    join(folder, 'sso/cache', `${createHash('sha1').update('i').digest('hex')}.json`),
    JSON.stringify({ ...login, expiresAt: later }),
  );
  const identity = join(folder, 'identity');
  writeFileSync(identity, 'the identity');
  const off = { AWS_EC2_METADATA_DISABLED: 'true' };
  const found: Record<string, Record<string, string>> = {
    'the environment': credentials,
    'the credentials file': { ...off, AWS_PROFILE: 'stored' },
    'the config file': { ...off, AWS_PROFILE: 'configured' },
    'a process': { ...off, AWS_PROFILE: 'told' },
    'a container': { ...off, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${metadata}/credentials` },
    'the portal of a login': { ...off, AWS_PROFILE: 'signed-in', AWS_ENDPOINT_URL_SSO: metadata },
    'a role of another profile': { ...off, AWS_PROFILE: 'on-behalf', AWS_ENDPOINT_URL_STS: metadata },
    'a role for a web identity': {
      ...{ ...off, AWS_ENDPOINT_URL_STS: metadata, AWS_REGION: 'eu-west-1' },
      ...{ AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: identity },
    },
    'the machine': { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata },
  };
  const words = ['collection-status', `s3://${BUCKET}/x`, '--s3-endpoint-url', server.url];
  for (const [place, env] of Object.entries(found)) {
    await t.test(place, async () => {
      expectStatus(await program.run(words, { env }));
    });
  }
  const missing: [profile: string, remedy: RegExp][] = [
    ['broken', /no credentials were found.*credential_process/],
    ['absent', /no credentials were found.*AWS_PROFILE/],
    ['signed-out', /the login of the profile has expired.*aws sso login/],
  ];
  for (const [profile, remedy] of missing) {
    await t.test(`none from the profile ${profile}`, async () => {
      const { status, stderr } = await program.run(words, { env: { ...off, AWS_PROFILE: profile } });
      assert.equal(status, exitStatus.targetUnreachable, stderr);
      assert.match(stderr, remedy);
      assert.match(stderr, /^Error: [^\n]+\n$/);
      assert.doesNotMatch(stderr, /sekret/);
    });
  }
});

/** A profile whose keys come from a program. */
function keysFrom(home: string, script: string): Record<string, string> {
  const command = join(home, 'keys.sh');
  writeFileSync(command, `#!/bin/sh\n${script}\n`);
  chmodSync(command, 0o700);
  const config = join(home, 'config');
  writeFileSync(config, `[default]\ncredential_process = ${command}\n`);
  return { AWS_CONFIG_FILE: config, AWS_EC2_METADATA_DISABLED: 'true' };
}

test('keys that expire in the middle of a run are asked for again', async t => {
  const server = await startS3Server();
  t.after(() => server.close());
  const program = createProgram(t);
  const calls = join(program.home, 'calls');
  const answer = (token: string) => JSON.stringify({ Version: 1, ...keys, SessionToken: token });
  const env = keysFrom(
    program.home,
    `if [ -e ${calls} ]; then echo '${answer('second')}'; else touch ${calls}; echo '${answer('first')}'; fi`,
  );
  // Heads have no body that could say why.
  for (const isLast of [({ url }: Seen) => url.includes('vol1'), ({ method }: Seen) => method === 'HEAD']) {
    rmSync(calls, { force: true });
    let isExpired = false;
    const proxy = await startFaultProxy(server.port, seen => {
      isExpired ||= isLast(seen);
      const token = seen.headers['x-amz-security-token'];
      return isExpired && token === 'first' ? s3Error(400, 'ExpiredToken') : undefined;
    });
    t.after(() => proxy.close());
    const source = join(program.home, 'source');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'large'), createRandom('expires').bytes(6_000_000)); // parts, and a look at what was joined
    const url = `s3://${BUCKET}/expires${proxy.url.slice(-3)}`;
    const options = ['--s3-endpoint-url', proxy.url];
    expectStatus(await program.run(['full', source, url, ...options], { passphrase: 'p', env }));
    assert.ok(isExpired);
  }
  // Where the program has no other keys the run ends, in one line.
  const proxy = await startFaultProxy(server.port, () => s3Error(400, 'ExpiredToken'));
  t.after(() => proxy.close());
  const result = await program.run(
    ['collection-status', `s3://${BUCKET}/x`, '--s3-endpoint-url', proxy.url],
    { env },
  );
  assert.equal(result.status, exitStatus.targetUnreachable, result.stderr);
  assert.match(result.stderr, /^Error: [^\n]+has expired[^\n]+\n$/);
});

test('a program for keys that does not end is ended, and told', async t => {
  const program = createProgram(t);
  const env = keysFrom(program.home, 'sleep 30; echo'); // with a child of its own
  const options = ['--s3-endpoint-url', 'http://127.0.0.1:9', '--timeout', '1'];
  const { status, stderr } = await program.run(['collection-status', `s3://${BUCKET}/x`, ...options], {
    env,
  });
  assert.equal(status, exitStatus.targetUnreachable, stderr);
  assert.match(stderr, /^Error: [^\n]+credential_process[^\n]+\n$/);
});
