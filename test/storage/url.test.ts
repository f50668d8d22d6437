import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOf, pathFromText } from '../../src/bytes.ts';
import type { Report } from '../../src/report.ts';
import { openStorage } from '../../src/storage/open.ts';
import { cacheNameFor, isTargetUrl, parseTarget } from '../../src/storage/url.ts';
import { failing } from '../contract/storage-contract.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

/** File URLs and where duplicity 0.8.22 puts them; `@` stands for a scratch folder, the working directory is `@/cwd`. */
const fileUrls: [url: string, folder: string][] = [
  ['file://@/a%20b', '@/a b'],
  ['file://@/c d', '@/c d'],
  ['file:@/one', '@/one'],
  ['FILE://@/upper', '@/upper'],
  ['file://@/x//y/', '@/x//y/'],
  ['file://@/bad%zz%4', '@/bad%zz%4'],
  ['file://@/plus+plus;p', '@/plus+plus;p'],
  ['file://@/once%2541', '@/once%41'],
  ['file://@/slash%2Fslash', '@/slash/slash'],
  ['file://@/%C3%A9é', '@/éé'],
  ['file://@/%FFx%FE', '@/\ufffdx\ufffd'],
  ['file://@/q%3Fa%23b', '@/q?a#b'],
  ['file://rel/d%20x', 'rel/d x'],
  ['file://raw%20x/d', 'raw%20x/d'],
  ['file://me:pw@host:99/d', 'me:pw@host:99/d'],
  ['file://~/home', '~/home'],
  ['file://../up', '../up'],
  ['gio+file://@/h%C3%B6me%20of/b+c', '@/höme of/b+c'],
  ['file://@/cut?q=1', '@/cut'],
  ['file://@/hash#frag', '@/hash'],
];

test('parseTarget() reads file URLs', () => {
  for (const [url, folder] of fileUrls) {
    const target = parseTarget(url.replace('@/', '/base/'));
    assert.equal(target.scheme, 'file');
    assert.equal(target.scheme === 'file' && target.path, pathFromText(folder.replace('@/', '/base/')), url);
    assert.equal(target.notice !== undefined, /[?#]/.test(url), url);
  }
});

test('openStorage() warns of a file URL that ends before its folder does', async () => {
  const told: string[] = [];
  const report = ({ level, message }: Report) => void told.push(`${level}: ${message}`);
  const storage = await openStorage('file:///mnt/disk #2/b', {}, { report, progress() {} });
  await storage.close();
  assert.match(
    told.join(),
    /^warning: In a file URL .* this one is the folder '\/mnt\/disk '\. .* write %3F and %23\.$/,
  );
});

test('parseTarget() finds the folder that duplicity writes to', t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  mkdirSync(join(base, 'cwd'));
  for (const url of ['file://@/a%20b', 'file://@/c d', 'file://rel/d%20x', 'file://raw%20x/%FFé?x']) {
    const typed = url.replace('@/', `${base}/`);
    const status = ['collection-status', '--archive-dir', join(base, 'archive'), typed];
    const run = spawnSync('duplicity', status, { cwd: join(base, 'cwd'), encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    const target = parseTarget(typed);
    assert.ok(target.scheme === 'file');
    const path = target.path.startsWith('/') ? target.path : `${base}/cwd/${target.path}`;
    assert.ok(existsSync(bytesOf(path)), `${url} → ${path}`); // it makes the folder even to look at it
    assert.ok(existsSync(join(base, 'archive', cacheNameFor(typed))), url);
  }
});

test('parseTarget() refuses file URLs that name no folder or leave open which', () => {
  for (const url of [
    'file://',
    'file:////abs',
    'file:rel',
    'gio+file://rel/folder',
    'gio+file:/one',
    'file:///a%00b',
    '/plain',
    'plain',
    '',
    'c:\\x',
  ]) {
    assert.throws(() => parseTarget(url), failing('usage'), url);
  }
});

test('parseTarget() reads the S3 forms of all duplicity versions', () => {
  const bucket = { scheme: 's3', bucket: 'bucket', prefix: 'some/prefix' };
  for (const url of [
    's3://bucket/some/prefix',
    's3:///bucket/some/prefix',
    's3://bucket//some///prefix/',
    's3://bucket/so%6De/prefix',
    's3+http://bucket/some/prefix',
    'boto3+s3://bucket/some/prefix',
    'boto3+s3:///bucket/some/prefix',
    'S3://bucket/some/prefix',
  ]) {
    assert.deepEqual(parseTarget(url), bucket, url);
  }
  assert.deepEqual(parseTarget('s3://my.bucket.name'), {
    scheme: 's3',
    bucket: 'my.bucket.name',
    prefix: '',
  });
  assert.deepEqual(parseTarget('s3://Bücher/ä b'), { scheme: 's3', bucket: 'Bücher', prefix: 'ä b' });
  for (const endpoint of [
    's3-eu-west-1.amazonaws.com',
    'localhost',
    '10.0.0.7',
    'minio.lan:9000',
    '[::1]',
    '[fd00::7]:9000',
    'fra1.digitaloceanspaces.com',
  ]) {
    const { notice, ...target } = {
      notice: undefined,
      ...parseTarget(`s3://${endpoint}/bucket/some/prefix`),
    };
    assert.deepEqual(target, { ...bucket, endpoint }, endpoint);
    assert.ok(notice !== undefined && (notice as string).includes(endpoint));
  }
  const boto = parseTarget('boto+s3://any.host/bucket/some/prefix');
  assert.ok(boto.scheme === 's3' && boto.endpoint === 'any.host' && boto.bucket === 'bucket');
  for (const [url, insecure] of [
    ['s3+http://minio.lan:9000/bucket/some/prefix', true],
    ['s3+https://minio.lan:9000/bucket/some/prefix', undefined],
    ['s3+https://minio.lan/bucket/some/prefix', undefined],
  ] as const) {
    const target = parseTarget(url);
    assert.ok(target.scheme === 's3' && target.bucket === 'bucket' && target.insecure === insecure, url);
  }
  const plain = parseTarget('s3://minio.lan:80/bucket');
  assert.ok(plain.scheme === 's3' && plain.insecure === true && plain.prefix === '');
});

test('parseTarget() refuses S3 URLs without a bucket', () => {
  for (const url of [
    's3://',
    's3:///',
    's3:/bucket',
    's3://localhost:9000',
    's3://localhost/',
    'boto+s3://bucket',
  ]) {
    assert.throws(() => parseTarget(url), failing('usage', 'bucket'), url);
  }
});

test('parseTarget() never repeats credentials', () => {
  for (const url of [
    's3://AKIAKEY:sekret@bucket/x',
    's3://AKIAKEY:sek/ret@bucket/x',
    's3://sekret@bucket/x',
    'sftp://user:sekret@host/x',
    'webdavs://user:sekret@host/x',
  ]) {
    assert.throws(
      () => parseTarget(url),
      (error: Error) =>
        failing('usage')(error) && !/sek|ret@|AKIA/.test(JSON.stringify([error.message, error])),
      url,
    );
  }
});

test('parseTarget() lists what is supported when a scheme is not', () => {
  for (const url of ['sftp://host/x', 'rclone://remote:/x', 'gs://bucket']) {
    assert.throws(() => parseTarget(url), failing('usage', 'file:///absolute/folder'), url);
  }
});

test('parseTarget() gives a target or a usage error for any text', () => {
  fc.assert(
    fc.property(
      fc.tuple(
        fc.constantFrom('', 'file:', 'file://', 's3://', 'boto+s3://', 'x:'),
        fc.string({ unit: 'binary' }),
      ),
      ([start, end]) => {
        try {
          const target = parseTarget(start + end);
          assert.notEqual(target.scheme === 'file' ? target.path : target.bucket, '');
        } catch (error) {
          failing('usage')(error);
        }
      },
    ),
  );
});

test('isTargetUrl() tells URLs from local paths', () => {
  for (const url of ['file:///x', 'file:/x', 's3://b', 'boto3+s3://b', 'sftp://h/'])
    assert.ok(isTargetUrl(url), url);
  for (const path of ['x', '/x', './s3://x', 'a:b', 'file', 'file:x', 'c:/x', ''])
    assert.ok(!isTargetUrl(path), path);
});

test('cacheNameFor() is the MD5 of the URL as typed', () => {
  assert.equal(cacheNameFor('file:///srv/backup'), '018b63a28f536acd92d887ced9519d4d');
  assert.equal(cacheNameFor('file:///srv/backup/'), '9f1201731aae6399ea03b8c1208082ec');
});
