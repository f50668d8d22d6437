import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRestoreProblems } from '../../src/commands/restore-problems.ts';
import type { WriteProblem } from '../../src/files/write.ts';
import { createTestHost } from '../support/host.ts';

const noModes: Omit<WriteProblem, 'path'> = {
  systemCode: 'EPERM',
  message: 'EPERM: operation not permitted',
  restored: true,
  attribute: 'mode',
};

function tell(wanted: readonly string[], problems: readonly WriteProblem[]) {
  const host = createTestHost();
  const told = createRestoreProblems(wanted, host);
  for (const problem of problems) told.tell(problem);
  told.end();
  return { missing: told.missing(), lines: host.reports.map(({ level, message }) => `${level}: ${message}`) };
}

test('a restore names all that is missing', () => {
  const problems = Array.from({ length: 30 }, (_, n) => ({
    ...{ path: `f${n}`, systemCode: 'EINVAL', message: 'EINVAL: no', restored: false },
  }));
  const { missing, lines } = tell([], problems);
  assert.equal(missing, 30);
  assert.deepEqual(
    lines,
    problems.map(({ path }) => `error: ${path} is not restored: EINVAL: no`),
  );
});

test('a restore names ten that lack the same for the same reason, and counts the others', () => {
  const problems = Array.from({ length: 25 }, (_, n) => ({ path: `f${n}`, ...noModes }));
  const owner = { ...noModes, path: 'f24', attribute: 'owner' as const };
  const { missing, lines } = tell([], [...problems, owner]);
  assert.equal(missing, 0);
  const line = (n: number) =>
    `${n < 10 ? 'warning' : 'info'}: f${n} is restored, but not with its mode: EPERM: operation not permitted`;
  assert.deepEqual(lines, [
    ...problems.map((_, n) => line(n)),
    'warning: f24 is restored, but not with its owner: EPERM: operation not permitted',
    'warning: 15 more are restored, but not with their mode (EPERM); -v info names them',
  ]);
});

test('a restore of a part says nothing of folders that are only on the way to it', () => {
  const problems = ['', 'a', 'a/b', 'a/b/c'].map(path => ({ path, ...noModes }));
  const { lines } = tell(['a/b'], problems);
  assert.deepEqual(
    lines.map(line => line.split(' ')[1]),
    ['a/b', 'a/b/c'],
  );
});
