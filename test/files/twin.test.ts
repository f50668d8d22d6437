import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { test } from 'node:test';
import { openTwin } from '../../src/files/twin.ts';
import { scratch } from './support.ts';

for (const [how, change] of [
  ['written to', (file: string) => closeSync(writeAt(file, 0, 'X'))],
  ['cut', (file: string) => truncateSync(file, 2)],
] as const) {
  test(`openTwin() trusts no comparison with a file that is ${how} meanwhile`, t => {
    const folder = scratch(t);
    writeFileSync(`${folder}/file`, 'content');
    const twin = openTwin(`${folder}/file`)!;
    assert.ok(twin.continuesWith(Buffer.from('content')));
    change(`${folder}/file`);
    const to = openSync(`${folder}/copy`, 'w');
    assert.equal(twin.isAtEnd(), false);
    assert.throws(() => twin.copyTo(to), { code: 'EBUSY' });
    closeSync(to);
    twin.close();
  });
}

test('openTwin() gives what was the same of a file that has only grown meanwhile', t => {
  const folder = scratch(t);
  writeFileSync(`${folder}/file`, 'content');
  const twin = openTwin(`${folder}/file`)!;
  assert.ok(twin.continuesWith(Buffer.from('content')));
  appendFileSync(`${folder}/file`, 'more');
  assert.equal(twin.isAtEnd(), false);
  const to = openSync(`${folder}/copy`, 'w');
  twin.copyTo(to);
  closeSync(to);
  twin.close();
  assert.equal(readFileSync(`${folder}/copy`, 'utf8'), 'content');
});

function writeAt(file: string, position: number, text: string): number {
  const fd = openSync(file, 'r+');
  writeSync(fd, text, position);
  return fd;
}

test('openTwin() takes no harm from a close that fails, as on a drive that has gone', t => {
  const folder = scratch(t);
  writeFileSync(`${folder}/file`, 'content');
  const twin = openTwin(`${folder}/file`)!;
  closeSync(twin.fd);
  assert.doesNotThrow(() => twin.close());
});
