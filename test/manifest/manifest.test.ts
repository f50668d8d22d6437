import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import {
  type Change,
  formatChange,
  formatChecksum,
  formatFilelistHeader,
  formatHeader,
  formatVolume,
  type Manifest,
} from '../../src/manifest/manifest.ts';
import { createManifestReader } from '../../src/manifest/manifest-reader.ts';
import { collectGarbage } from '../support/garbage.ts';

const SHA1 = '0aa7266b37d6773b7e570c5a00693c19eb5af9b2';

/** Reads a manifest in pieces of `size` bytes; byte strings are given as latin1. */
function read(
  text: string | Buffer,
  size = 1 << 16,
  onChange?: (change: Change, path: string) => void,
): Manifest {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  const reader = createManifestReader(onChange);
  for (let offset = 0; offset < bytes.length; offset += size)
    reader.push(bytes.subarray(offset, offset + size));
  return reader.end();
}

const block = (number: number, start = '.', end = '.') =>
  `Volume ${number}:\n    StartingPath   ${start}  \n    EndingPath     ${end}  \n    Hash SHA1 ${SHA1}\n`;
const numbers = (text: string) => read(text).volumes.map(volume => volume.number);

test('formatHeader(), formatVolume() and formatChange() write the manifest of the format', () => {
  const written = Buffer.concat([
    formatHeader({ hostname: 'vm', localdir: 'src' }),
    formatVolume({ number: 1, start: { path: '' }, end: { path: 'sub/a b' }, sha1: SHA1 }),
    formatVolume({ number: 2, start: { path: 'f 2', block: 10 }, end: { path: 'g', block: 3 }, sha1: SHA1 }),
    formatFilelistHeader(3),
    formatChange('changed', 'hello'),
    formatChange('new', ''),
    formatChange('deleted', 'sub/a b'),
  ]);
  assert.equal(
    written.toString('latin1'),
    `Hostname vm
Localdir src
Volume 1:
    StartingPath   .  
    EndingPath     "sub/a\\x20b"  
    Hash SHA1 ${SHA1}
Volume 2:
    StartingPath   "f\\x202" 10
    EndingPath     g 3
    Hash SHA1 ${SHA1}
Filelist 3
    changed  hello
    new      .
    deleted  "sub/a\\x20b"
`,
  );
});

const bytes = () =>
  fc.uint8Array({ minLength: 1, maxLength: 20 }).map(array => Buffer.from(array).toString('latin1'));
// '.' stands for the root and is no name.
const path = () =>
  fc.oneof(
    fc.constant(''),
    bytes().filter(name => name !== '.'),
  );
const position = () =>
  fc.oneof(
    path().map(path => ({ path })),
    fc.record({ path: path(), block: fc.nat({ max: 99_999_999 }) }, { noNullPrototype: true }),
  );
const sha1 = () =>
  fc.uint8Array({ minLength: 20, maxLength: 20 }).map(sum => Buffer.from(sum).toString('hex'));
const changes = () => fc.array(fc.tuple(fc.constantFrom<Change[]>('new', 'changed', 'deleted'), path()));

test('createManifestReader() gives back what was written, for any bytes and any chunks', () =>
  fc.assert(
    fc.property(
      bytes(),
      fc.array(fc.record({ start: position(), end: position(), sha1: sha1() }, { noNullPrototype: true }), {
        minLength: 1,
        maxLength: 5,
      }),
      changes(),
      fc.integer({ min: 1, max: 50 }),
      (localdir, entries, changed, size) => {
        const volumes = entries.map((entry, index) => ({ number: index + 1, ...entry }));
        const written = Buffer.concat([
          formatHeader({ hostname: 'vm', localdir }),
          ...volumes.map(formatVolume),
          formatFilelistHeader(changed.length),
          ...changed.map(([change, path]) => formatChange(change, path)),
        ]);
        const seen: [Change, string][] = [];
        const manifest = read(written, size, (change, path) => seen.push([change, path]));
        assert.deepEqual(manifest, { hostname: 'vm', localdir, volumes, ending: 'filelist' });
        assert.deepEqual(seen, changed);
        assert.deepEqual(read(written, size), manifest); // where nobody asks for the changes
      },
    ),
  ));

/** The text with its checksum before the list of changed files. */
function summed(text: string): Buffer {
  const sum = createHash('sha256').update(text, 'latin1').digest('hex');
  const at = text.indexOf('Filelist');
  return Buffer.concat([
    Buffer.from(text.slice(0, at), 'latin1'),
    formatChecksum(sum),
    Buffer.from(text.slice(at), 'latin1'),
  ]);
}

const told = `Hostname vm\nLocaldir src\n${block(1, 'a', 'b')}${block(2, 'b', 'c')}Filelist 2\n    changed  a\n    new      c\n`;

test('createManifestReader() proves a text by its checksum, in any chunks', () => {
  const text = summed(told);
  for (let size = 1; size < text.length; size++) assert.equal(read(text, size).isProved, true, `${size}`);
  const { isProved, ...manifest } = read(text);
  assert.deepEqual(manifest, read(told));
  const changes: string[] = [];
  assert.equal(read(text, 7, (change, path) => changes.push(`${change} ${path}`)).isProved, true);
  assert.deepEqual(changes, ['changed a', 'new c']);
});

test('createManifestReader() says nothing false of a text with a checksum, whichever bit of it is wrong', () => {
  const text = summed(told);
  const right = read(told);
  for (let bit = 0; bit < text.length * 8; bit++) {
    const wrong = Buffer.from(text);
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    try {
      const { isProved, ending, ...manifest } = read(wrong);
      // What is read all the same: a text that looks cut, or whose checksum alone is wrong.
      if (ending === 'cut') assert.deepEqual(manifest.volumes, right.volumes, `bit ${bit}`);
      else assert.deepEqual({ ...manifest, ending }, right, `bit ${bit}`);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'damaged', `bit ${bit}`);
    }
  }
});

test('createManifestReader() does not hold a checksum against what was appended behind it', () => {
  const appended = summed(told).toString('latin1') + block(2, 'b', 'd') + block(3, 'd', 'e');
  for (const text of [appended, `${appended}Filelist 1\n    new      d\n`]) {
    const { isProved, volumes } = read(text);
    assert.deepEqual([isProved, volumes.length], [undefined, 3]);
  }
  const { isProved, ending } = read(`${summed(told).toString('latin1')}Filelist 0\n`);
  assert.deepEqual([isProved, ending], [undefined, 'filelist']);
});

test('createManifestReader() takes the last of two blocks and drops numbers above the last block', () => {
  assert.deepEqual(numbers([1, 2, 3, 2].map(n => block(n)).join('')), [1, 2]);
  assert.deepEqual(numbers([1, 2, 3, 2, 3].map(n => block(n)).join('')), [1, 2, 3]);
  assert.deepEqual(numbers([1, 2, 3, 2, 3, 4].map(n => block(n)).join('')), [1, 2, 3, 4]);
  assert.deepEqual(numbers([2, 1, 3].map(n => block(n)).join('')), [1, 2, 3]);
  const resumed = read(
    `${block(1)}${block(2, 'a', 'b')}Filelist 1\n    new      a\n${block(2, 'c', 'd')}Filelist 0\n`,
  );
  assert.deepEqual(resumed.volumes[1], {
    number: 2,
    start: { path: 'c' },
    end: { path: 'd' },
    sha1: SHA1,
    resumed: true,
  });
  assert.equal(resumed.ending, 'filelist');
});

test('createManifestReader() is generous with case, white space, order, unknown lines and missing parts', () => {
  const manifest = read(
    `Filelist 1\r
    new      x\r
Unknown field\r
VOLUME 1:\r
startingpath .\r
\tEndingPath "a\\x09b"\t7\r
    Colour blue\r
    hash sha256 00\r
    Hash MD5 D41D8CD98F00B204E9800998ECF8427E\r
hostname  some host \r
Localdir "a\\x20b"\r
Hostname other\r
`,
  );
  assert.deepEqual(manifest, {
    hostname: 'some host',
    localdir: 'a b',
    volumes: [
      {
        number: 1,
        start: { path: '' },
        end: { path: 'a\tb', block: 7 },
        md5: 'd41d8cd98f00b204e9800998ecf8427e',
      },
    ],
    ending: 'volume',
  });
});

test('createManifestReader() splits at ASCII white space only', () => {
  const name = Buffer.from('\u00a0x\u0085y\u00a0', 'utf8').toString('latin1');
  const manifest = read(`Hostname \xa0h\xa0\n${block(1, name, `${name}\xa0`)}`);
  assert.equal(manifest.hostname, '\xa0h\xa0');
  assert.deepEqual(manifest.volumes[0]?.start, { path: name });
  assert.deepEqual(manifest.volumes[0]?.end, { path: `${name}\xa0` });
});

test('createManifestReader() says how the text ends', () => {
  const whole = `${block(1)}${block(2)}Filelist 2\n    new      a\n    deleted  b\n`;
  assert.equal(read(whole).ending, 'filelist');
  assert.equal(read(`${block(1)}Filelist 0\n`).ending, 'filelist');
  assert.equal(read(whole.slice(0, -1)).ending, 'cut');
  assert.equal(read(whole.slice(0, whole.lastIndexOf('    deleted'))).ending, 'cut');
  assert.equal(read(block(1)).ending, 'volume');
  assert.equal(read(`Filelist 1\n    new      a\n${block(1)}`).ending, 'volume');
});

test('createManifestReader() never takes a cut text for a whole one', () => {
  const whole = `Hostname vm\n${block(1, 'a', 'b')}${block(2, 'b', 'c')}Filelist 2\n    new      a\n    new      b\n`;
  for (const text of [whole, summed(whole).toString('latin1')]) {
    for (let length = 0; length < text.length; length++) {
      let ending = 'refused';
      try {
        ending = read(text.slice(0, length)).ending;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'damaged');
      }
      assert.notEqual(ending, 'filelist', `first ${length} bytes`);
    }
  }
});

test('createManifestReader() refuses what is no manifest', () => {
  const wrong = [
    '',
    'Hostname vm\n',
    '\x1f\x8b\x08\x00',
    'Volume x:\n',
    'Volume\n',
    'Volume 0:\n    StartingPath .\n    EndingPath .\n',
    'Volume 1:\n    StartingPath .\n',
    'Volume 1:\n    StartingPath\n    EndingPath .\n',
    'Volume 1:\n    EndingPath .\n',
    block(1) + block(3), // volume 2 would be missed by nobody
    block(2),
    (block(1) + block(2) + block(3)).replace('Volume 2', 'Volume 3'),
    (block(1) + block(2)).replace('Volume 2:', '\0\0\0\0\0\0\0\0\0'),
    block(1, '"a b"'),
    block(1).replace(SHA1, SHA1.slice(1)),
    block(1).replace(SHA1, `${SHA1.slice(1)}g`),
    `Localdir "x\n${block(1)}`,
  ];
  for (const text of wrong) assert.throws(() => read(text), { code: 'damaged' }, text);
});

test('createManifestReader() bounds the length of a line', () => {
  const reader = createManifestReader();
  const chunk = Buffer.alloc(1 << 19, 'x');
  assert.throws(
    () => {
      for (let i = 0; i < 4; i++) reader.push(chunk);
    },
    { code: 'damaged' },
  );
});

test('reading refuses paths of volumes that would fill the memory', () => {
  const reader = createManifestReader();
  const long = 'p'.repeat(1_000_000);
  const push = (number: number) => reader.push(Buffer.from(block(number, long, long)));
  for (let number = 1; number <= 60; number++) push(number);
  assert.throws(() => [61, 62, 63, 64, 65, 66, 67, 68, 69].forEach(push), {
    code: 'damaged',
    message: /too long together/,
  });
});

test('reading counts the paths of files that broke off among those that would fill the memory', () => {
  const reader = createManifestReader();
  reader.push(Buffer.from(block(1)));
  const line = Buffer.from(`    Incomplete ${'p'.repeat(1_000_000)}\n`);
  assert.throws(
    () => {
      for (let i = 0; i < 200; i++) reader.push(line);
    },
    { code: 'damaged', message: /too long together/ },
  );
});

test('reading keeps nothing of a text but what it says', () => {
  const long = 'a-path-that-is-longer-than-a-few-letters';
  const reader = createManifestReader();
  const filling = `    unknown ${'x'.repeat(500)}\n`.repeat(1000);
  const push = (number: number) => {
    const text = `    Incomplete ${long}\n${filling}`;
    reader.push(Buffer.from(block(number, `${long}/${number}`, `${long}/${number}`) + text));
  };
  push(1);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let number = 2; number <= 100; number++) push(number); // 50 MB
  collectGarbage();
  assert.ok(process.memoryUsage().heapUsed - before < 10_000_000);
  assert.equal(reader.end().volumes.length, 100);
});

test('reading refuses a text that goes on and says nothing', () => {
  const reader = createManifestReader();
  const lines = Buffer.alloc(1 << 20, '\n');
  assert.throws(
    () => {
      for (let i = 0; i < 32; i++) reader.push(lines);
    },
    { code: 'damaged', message: 'A manifest is longer than that of any backup set.' },
  );
});
