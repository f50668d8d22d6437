/** The house rules, held against the sources; and the rules themselves, held against little houses that break them. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { importsOf, violationsOf } from './support/architecture.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('src keeps the order of its rooms', () => {
  const src = join(root, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts') && !dirname(path).endsWith('assembly')) // another language
    .map(path => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(src, path), 'utf8') }));
  assert.ok(files.length >= 5);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.equal(violationsOf(files, Object.keys(dependencies)).join('\n'), '');
});

test('importsOf() finds every form of import, and none in comments or text', () => {
  const text = `
    import { a, type B } from './a.ts';
    import type { C } from "./c.ts";
    import * as d from 'node:d';
    import './effect.ts';
    export { e } from './e.ts';
    export * from './f.ts';
    import {
      g,
    } from './g.ts';
    const h = await import('./h.ts');
    // import { no } from './no.ts';
    /* import './no.ts'; */
    const text = "import './no.ts'";
    export function from(a: string) { return 'no'; }
  `;
  const found = ['./a.ts', './c.ts', './e.ts', './effect.ts', './f.ts', './g.ts', './h.ts', 'node:d'];
  assert.deepEqual(importsOf(text).sort(), found);
});

const houses: readonly [broken: string, house: Record<string, string>, told: RegExp][] = [
  [
    'a lower room that imports a higher one',
    { 'rsync/a.ts': from('../files/b.ts'), 'files/b.ts': '' },
    /rsync is below files/,
  ],
  [
    'a base file that imports a room',
    { 'bytes.ts': from('./rsync/b.ts'), 'rsync/b.ts': '' },
    /base is below rsync/,
  ],
  [
    'a command that imports the cli',
    { 'commands/a.ts': from('../cli.ts'), 'cli.ts': '' },
    /commands is below cli/,
  ],
  [
    'formats that know each other',
    { 'volumes/a.ts': from('../rsync/b.ts'), 'rsync/b.ts': '' },
    /do not know each other/,
  ],
  ['a format with a disk', { 'manifest/a.ts': from('node:fs/promises') }, /no disk/],
  ['a format with a clock', { 'manifest/a.ts': 'const now = Date.now();' }, /clock/],
  ['a format with a timer', { 'rsync/a.ts': 'setTimeout(() => {}, 1);' }, /timer/],
  ['a format with an environment', { 'volumes/a.ts': 'const x = process.env.X;' }, /talks to the process/],
  ['a format with random bytes', { 'volumes/a.ts': "import { randomBytes } from 'node:crypto';" }, /random/],
  ['an exit outside of cli.ts', { 'commands/a.ts': 'process.exitCode = 1;' }, /only cli\.ts/],
  ['an import without .ts', { 'files/a.ts': from('./b'), 'files/b.ts': '' }, /end in \.ts/],
  ['an import of nothing', { 'files/a.ts': from('./b.ts') }, /not a file of a room/],
  ['a package that is not listed', { 'files/a.ts': from('leftpad') }, /package\.json/],
  ['a room without a place', { 'attic/a.ts': '' }, /in no room/],
  [
    'a cycle',
    { 'files/a.ts': from('./b.ts'), 'files/b.ts': from('./a.ts') },
    /files\/a\.ts → files\/b\.ts → files\/a\.ts/,
  ],
];

for (const [broken, house, told] of houses) {
  test(`violationsOf() tells of ${broken}`, () => {
    const files = Object.entries(house).map(([path, text]) => ({ path, text }));
    const violations = violationsOf(files, ['tar-stream']);
    assert.equal(violations.length, 1, violations.join('\n'));
    assert.match(violations[0]!, told);
  });
}

test('violationsOf() has nothing to say of a good house', () => {
  const house = {
    'bytes.ts': '/** No Date.now() here. */',
    'rsync/a.ts': `${from('../bytes.ts', 'node:zlib')} const text = 'process.exit';`,
    'files/b.ts': `${from('../rsync/a.ts', 'node:fs')} const now = Date.now();`,
    'engine/c.ts': from('../files/b.ts', 'tar-stream/extract'),
    'cli.ts': `${from('./engine/c.ts')} process.exitCode = 1;`,
  };
  const files = Object.entries(house).map(([path, text]) => ({ path, text }));
  assert.deepEqual(violationsOf(files, ['tar-stream']), []);
});

function from(...names: string[]): string {
  return names.map(name => `import { x } from '${name}';\n`).join('');
}
