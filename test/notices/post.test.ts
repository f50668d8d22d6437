/** The way of a notice to its server: redirections, proxies, authorities of one's own. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { post } from '../../src/notices/post.ts';
import { failing } from '../contract/storage-contract.ts';
import { makeCertificate } from '../support/certificates.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTlsBefore, startWebProxy } from '../support/web-proxy.ts';

const live = new AbortController().signal;

/** A server that redirects what `/STATUS/REST` asks for to REST. */
async function startServer(t: TestContext) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { method, url = '', headers } = request;
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () => {
      asked.push(`${method} ${url} ${body} ${headers.authorization ?? ''}`.trimEnd());
      const [, status, location] = /^\/(3\d\d)\/(.*)$/.exec(url) ?? [];
      response.writeHead(Number(status ?? 200), location === undefined ? {} : { location });
      response.end('x'.repeat(100_000));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { asked, port: (server.address() as AddressInfo).port };
}

const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'https_proxy', 'http_proxy', 'no_proxy'].concat(
  ...['AWS_CA_BUNDLE', 'AWS_CONFIG_FILE', 'NODE_EXTRA_CA_CERTS'],
);

/** Our own environment has these variables of those for the network, and no others. */
function withEnvironment(t: TestContext, env: NodeJS.ProcessEnv): void {
  const before = Object.fromEntries(names.map(name => [name, process.env[name]]));
  const set = (values: NodeJS.ProcessEnv) => {
    for (const name of names) delete process.env[name];
    for (const [name, value] of Object.entries(values)) if (value !== undefined) process.env[name] = value;
  };
  set({ AWS_CONFIG_FILE: '/dev/null', ...env });
  t.after(() => set(before));
}

test('post() gives the same notice to where it is redirected, and a login only to the same host', async t => {
  withEnvironment(t, {});
  const { asked, port } = await startServer(t);
  const login = { authorization: 'Bearer x' };
  for (const status of [301, 302, 303, 307, 308]) {
    await post(`http://localhost:${port}/${status}//hook`, 'body', login, live);
    assert.deepEqual(asked.splice(0), [`POST /${status}//hook body Bearer x`, 'POST /hook body Bearer x']);
  }
  await post(`http://localhost:${port}/302/http://127.0.0.1:${port}/hook`, 'body', login, live);
  assert.equal(asked.at(-1), 'POST /hook body');
});

test('post() gives up redirections that do not end, or lead nowhere', async t => {
  withEnvironment(t, {});
  const { asked, port } = await startServer(t);
  const round = '/302/'.repeat(9);
  await assert.rejects(
    post(`http://127.0.0.1:${port}${round}`, '', {}, live),
    failing('notice-failed', '302'),
  );
  assert.equal(asked.length, 6);
  await assert.rejects(
    post(`http://127.0.0.1:${port}/302/ftp://x`, '', {}, live),
    failing('notice-failed', '302'),
  );
});

test('post() goes by proxies, with TLS in a tunnel, and trusts the authorities of AWS_CA_BUNDLE', async t => {
  const { asked, port } = await startServer(t);
  const made = makeCertificate({ names: ['hook.test'] });
  const tlsPort = await startTlsBefore(t, port, made);
  const bundle = join(tempDir(t), 'ca.pem');
  writeFileSync(bundle, made.cert);
  const proxy = await startWebProxy(t, { login: 'ann:se%kret' });
  const place = `http://ann:se%25kret@${proxy.place}`;
  const secure = `https://hook.test:${tlsPort}/a?b`;
  withEnvironment(t, { HTTPS_PROXY: place, HTTP_PROXY: place, AWS_CA_BUNDLE: bundle });
  await post(secure, 'one', {}, live);
  await post(`http://hook.test:${port}/c?d`, 'two', {}, live);
  assert.deepEqual(asked.splice(0), ['POST /a?b one', 'POST /c?d two']);
  assert.deepEqual(proxy.asked.splice(0), [
    `CONNECT hook.test:${tlsPort}`,
    `POST http://hook.test:${port}/c?d`,
  ]);
  process.env.NO_PROXY = '127.0.0.1';
  await post(`http://127.0.0.1:${port}/near`, '', {}, live);
  assert.deepEqual([asked.splice(0), proxy.asked], [['POST /near'], []]);

  delete process.env.AWS_CA_BUNDLE;
  await assert.rejects(post(secure, '', {}, live), failing('notice-failed', 'self-signed certificate'));
  process.env.AWS_CA_BUNDLE = '/absent';
  await assert.rejects(post(secure, '', {}, live), failing('notice-failed', 'AWS_CA_BUNDLE'));
  delete process.env.AWS_CA_BUNDLE;
  process.env.HTTPS_PROXY = `http://ann:wrong@${proxy.place}`;
  await assert.rejects(
    post(secure, '', {}, live),
    failing('notice-failed', `the proxy ${proxy.place} is in the way (HTTP 407`),
  );
});
