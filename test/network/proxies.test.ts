import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxiesOf } from '../../src/network/proxies.ts';
import { failing } from '../contract/storage-contract.ts';

function placeBefore(url: string, env: NodeJS.ProcessEnv): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  return proxiesOf(env)?.before({ protocol, hostname, port: port === '' ? undefined : Number(port) })?.place;
}

test('proxiesOf() takes the variable for the kind of server, written small first', () => {
  const env = { HTTPS_PROXY: 'http://one:3128', http_proxy: 'two', HTTP_PROXY: 'http://three:1' };
  assert.equal(placeBefore('https://nas.lan:9000', env), 'one:3128');
  assert.equal(placeBefore('http://nas.lan:9000', env), 'two:80');
  assert.equal(placeBefore('https://nas.lan', { HTTPS_PROXY: 'https://[::1]' }), '[::1]:443');
  assert.equal(placeBefore('https://nas.lan', { HTTPS_PROXY: 'http://one', https_proxy: '' }), undefined);
  assert.equal(proxiesOf({ NO_PROXY: '*', HTTPS_PROXY: '' }), undefined);
});

test('proxiesOf() keeps name and password for the header alone', () => {
  const server = { protocol: 'https:', hostname: 'nas.lan' };
  const proxy = proxiesOf({ HTTPS_PROXY: 'http://a%40b:50%@one:3128' })!.before(server)!;
  assert.equal(proxy.url.href, 'http://one:3128/');
  const words = Buffer.from('a@b:50%').toString('base64');
  assert.deepEqual(proxy.headers, { 'Proxy-Authorization': `Basic ${words}` });
});

test('proxiesOf() minds a variable that names no proxy only for servers that need it', () => {
  for (const value of ['socks5://me:sekret@one:1080', 'http://', 'http://me:sekret@:1:1']) {
    const env = { HTTPS_PROXY: value, NO_PROXY: 'nas.lan' };
    assert.equal(placeBefore('https://nas.lan', env), undefined);
    assert.equal(placeBefore('http://other.lan', env), undefined);
    assert.throws(
      () => placeBefore('https://other.lan', env),
      (error: Error) => {
        assert.doesNotMatch(error.message, /sekret/);
        return failing('usage', 'HTTPS_PROXY')(error);
      },
    );
  }
});

const exceptions: [entry: string, excepted: string[], others: string[]][] = [
  ['*', ['https://x', 'http://[::1]:1'], []],
  [
    'nas.lan',
    ['https://nas.lan', 'https://NAS.lan.:9', 'https://b.nas.lan'],
    ['https://mynas.lan', 'https://lan'],
  ],
  ['.lan', ['https://nas.lan', 'https://lan'], ['https://wlan']],
  ['*.LAN', ['https://nas.lan'], ['https://wlan']],
  ['nas.lan:9000', ['https://nas.lan:9000'], ['https://nas.lan', 'https://nas.lan:90']],
  ['nas.lan:443', ['https://nas.lan'], ['http://nas.lan']],
  ['a, b c', ['https://a', 'https://b', 'https://c'], ['https://d']],
  ['10.0.0.1', ['http://10.0.0.1:9000'], ['http://10.0.0.11', 'http://110.0.0.1']],
  ['0.0.1', [], ['http://10.0.0.1']],
  ['10.0.0.0/8', ['http://10.9.8.7:9000'], ['http://11.0.0.1', 'http://nas.lan', 'http://[::1]']],
  ['fd00::/8', ['http://[fd12::1]:9000'], ['http://[fe80::1]', 'http://10.0.0.1']],
  ['10.0.0.0/99', [], ['http://10.0.0.1']],
  ['::1', ['http://[::1]:9000'], ['http://[::2]']],
  ['[::1]:9000', ['http://[::1]:9000'], ['http://[::1]']],
];

for (const [entry, excepted, others] of exceptions) {
  test(`proxiesOf() takes ${entry} of NO_PROXY for what it means`, () => {
    const env = { HTTPS_PROXY: 'one', HTTP_PROXY: 'one', NO_PROXY: entry };
    for (const url of excepted) assert.equal(placeBefore(url, env), undefined, url);
    for (const url of others) assert.equal(placeBefore(url, env), 'one:80', url);
  });
}
