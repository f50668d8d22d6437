import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createAnchors } from '../../src/files/anchors.ts';
import { countOpenFiles, plantDeep, scratch } from './support.ts';

test('createAnchors() gives plain paths while they are short', () => {
  for (const [root, path, expected] of [
    ['/root', '', '/root'],
    ['/root', 'a/\xff', '/root/a/\xff'],
    ['/root/', 'a', '/root/a'],
    ['/', 'a', '/a'],
    ['here', 'a', 'here/a'],
  ] as const) {
    const anchors = createAnchors(root);
    assert.equal(anchors.at(path).toString('latin1'), expected);
    anchors.close();
  }
});

test('createAnchors() reaches any depth, in any order, and closes what it opened', t => {
  const root = scratch(t);
  const deep = plantDeep(root, 20_000);
  const before = countOpenFiles();
  const anchors = createAnchors(root);
  const read = (path: string) => readFileSync(anchors.at(path), 'utf8');
  assert.equal(read(`${deep}/file`), 'deep content');
  assert.throws(() => read(`${deep.slice(0, -251)}/file`), { code: 'ENOENT' });
  assert.equal(read(`${deep}/file`), 'deep content');
  assert.ok(countOpenFiles() - before <= 6);
  assert.throws(() => read('file'), { code: 'ENOENT' });
  anchors.close();
  assert.equal(countOpenFiles(), before);
});

test('createAnchors() says ENAMETOOLONG where open files have no paths', t => {
  const root = scratch(t);
  const deep = plantDeep(root, 5_000);
  const anchors = createAnchors(root, '');
  assert.throws(() => anchors.at(`${deep}/file`), { code: 'ENAMETOOLONG' });
  anchors.close();
});
