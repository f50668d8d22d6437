/**
 * The table of README.md's section "When something goes wrong": tests bring each of its cases about, and what the
 * program says then must be what the table quotes, `…` standing for anything.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type RunResult, tail } from '../support/processes.ts';

export interface Trouble {
  /** First column of the table. */
  readonly what: string;
  /** A whole line of what is printed. */
  readonly message: string;
  readonly status: number;
}

/** The compiled test lies three folders below README.md. */
const readme = new URL('../../../README.md', import.meta.url);

export function readTroubles(): Trouble[] {
  const [, section = ''] = readFileSync(readme, 'utf8').split('\n## When something goes wrong\n');
  const rows = section.split('\n## ')[0]!.split('\n');
  return rows.flatMap(row => {
    const cells = /^\| (.+?) \| `(.+)` \| (\d+) \|$/.exec(row);
    return cells ? [{ what: cells[1]!, message: cells[2]!, status: Number(cells[3]) }] : [];
  });
}

/** Fails unless the program has said what the row `what` of the table quotes, and no more than that about itself. */
export function assertTold(result: RunResult, what: string): void {
  const trouble = assertSaid(result, what);
  assert.equal(result.status, trouble.status, tail(result));
  assert.ok(!/^ +at |node:internal|unexpected/m.test(result.stderr), `no stack trace: ${tail(result)}`);
}

/** The same, where the exit status depends on what the system lets us do. */
export function assertSaid(result: RunResult, what: string): Trouble {
  const trouble = readTroubles().find(row => row.what === what);
  assert.ok(trouble, `README.md has no row "${what}"`);
  const lines = `${result.stdout}${result.stderr}`.split('\n');
  const pattern = new RegExp(`^${trouble.message.split('…').map(escaped).join('.+')}$`);
  assert.ok(
    lines.some(line => pattern.test(line)),
    `nobody said "${trouble.message}": ${tail(result)}`,
  );
  return trouble;
}

/** The same, where it is all that goes to standard error. */
export function assertToldOnly(result: RunResult, what: string): void {
  assertTold(result, what);
  assert.match(result.stderr, /^[^\n]+\n$/, 'one line says it');
}

function escaped(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}
