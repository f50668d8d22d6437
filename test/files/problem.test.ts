import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { messageOf, systemCode } from '../../src/errors.ts';
import { isAway, sourceProblem, systemError, systemName } from '../../src/files/problem.ts';

test('systemName() names what the system says, also where Node has no word for it', () => {
  const unnamed = Object.assign(new Error('Unknown system error -117'), {
    code: 'Unknown system error -117',
    syscall: 'lstat',
  });
  assert.equal(systemName(systemError('EIO', 'bad block')), 'EIO');
  assert.equal(systemName(unnamed), 'EUNKNOWN');
  for (const other of [new TypeError('a slip'), undefined, null, 'text'])
    assert.equal(systemName(other), undefined);
});

test('isAway() knows the errors of a source that is away by number where Node has no name for them', () => {
  const failed = (errno: number) =>
    Object.assign(new Error(), { code: `Unknown system error ${errno}`, errno, syscall: 'scandir' });
  const numbers = [-constants.errno.ESTALE, -constants.errno.ENOLINK, -123];
  assert.deepEqual(
    numbers.map(errno => systemName(failed(errno))),
    ['ESTALE', 'ENOLINK', 'ENOMEDIUM'],
  );
  for (const errno of numbers) assert.ok(isAway(failed(errno)));
  assert.ok(!isAway(failed(-117)));
});

test('messageOf() names what Node has only a number for', () => {
  const code = 'Unknown system error -122';
  const failed = (text: string) => Object.assign(new Error(text), { code, errno: -122, syscall: 'write' });
  assert.equal(messageOf(failed(`${code}: ${code}, write`)), 'EDQUOT: disk quota exceeded, write');
  assert.equal(systemCode(failed('')), 'EDQUOT');
  const fromScript = { code: 'UNKNOWN', errno: -122, syscall: 'write' }; // as fs.writeSync of Node 20 throws it
  const unknown = Object.assign(new Error('UNKNOWN: unknown error, write'), fromScript);
  assert.equal(messageOf(unknown), 'EDQUOT: disk quota exceeded, write');
  assert.equal(systemCode(unknown), 'EDQUOT');
  assert.equal(systemCode({ ...fromScript, errno: -4094 }), undefined);
  const unnamed = 'Unknown system error -117: Unknown system error -117, read';
  assert.equal(messageOf(Object.assign(new Error(unnamed), { errno: -117 })), unnamed);
});

test('sourceProblem() tells what vanished from what failed, and throws slips on', () => {
  const vanished = (code: string, during: 'lstat' | 'readdir') =>
    sourceProblem('a', during, systemError(code, '')).vanished;
  assert.deepEqual(
    [
      vanished('ENOENT', 'readdir'),
      vanished('ENOTDIR', 'lstat'),
      vanished('ENOTDIR', 'readdir'),
      vanished('EIO', 'lstat'),
    ],
    [true, true, false, false],
  );
  assert.throws(() => sourceProblem('a', 'read', new RangeError('a slip')), RangeError);
});
