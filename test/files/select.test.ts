import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackupError } from '../../src/errors.ts';
import { createSelection } from '../../src/files/select.ts';

test('createSelection() says in one line of a pattern that is a whole list by mistake', () => {
  const bytes = Buffer.from('/source/a\0'.repeat(100_000));
  const rule = { kind: 'filelist', include: true, name: 'list', bytes, nullSeparated: false } as const;
  assert.throws(
    () => createSelection([rule], '/source'),
    (error: unknown) => {
      assert.ok(error instanceof BackupError && error.code === 'usage');
      assert.match(
        error.message,
        /^A pattern of 1000000 characters is too long; it begins with '\/source\/a/,
      );
      assert.ok(error.message.length < 500);
      return true;
    },
  );
});
