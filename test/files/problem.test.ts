import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceProblem, systemError, systemName } from '../../src/files/problem.ts';

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
