import assert from 'node:assert/strict';
import { appendFileSync, closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { openTwin } from '../../src/files/twin.ts';
import { scratch } from './support.ts';

for (const [how, change] of [
  ['written to', (file: string) => closeSync(writeAt(file, 0, 'X'))],
  ['appended to', (file: string) => appendFileSync(file, 'more')],
  ['cut', (file: string) => truncateSync(file, 2)],
] as const) {
  test(`openTwin() trusts no comparison with a file that is ${how} meanwhile`, t => {
    const folder = scratch(t);
    writeFileSync(`${folder}/file`, 'content');
    const twin = openTwin(`${folder}/file`)!;
    assert.ok(twin.continuesWith(Buffer.from('content')));
    change(`${folder}/file`);
    const to = openSync(`${folder}/copy`, 'w');
    assert.throws(() => twin.isAtEnd(), { code: 'EBUSY' });
    assert.throws(() => twin.copyTo(to), { code: 'EBUSY' });
    closeSync(to);
    twin.close();
  });
}

function writeAt(file: string, position: number, text: string): number {
  const fd = openSync(file, 'r+');
  writeSync(fd, text, position);
  return fd;
}
