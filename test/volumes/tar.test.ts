import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Attributes, EntryType } from '../../src/entry.ts';
import { BackupError } from '../../src/errors.ts';
import {
  encodeMemberHeader,
  MAX_HEADER_LENGTH,
  padded,
  patchMemberSize,
} from '../../src/volumes/tar-header.ts';
import { createTarReader, type TarMember } from '../../src/volumes/tar-reader.ts';
import { needTool } from '../support/tools.ts';

interface Member extends Attributes {
  readonly name: string;
  readonly size: number;
}

const component = fc
  .uint8Array({ minLength: 1, maxLength: 120 })
  .map(bytes =>
    Buffer.from(bytes.map(byte => (byte === 0 || byte === 0x2f ? 0x61 : byte))).toString('latin1'),
  )
  .filter(name => name !== '.' && name !== '..');
const text = fc.oneof(
  component,
  fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme-ascii' }).map(s => s.replaceAll('/', '_')),
  fc.constant('plain.txt'),
);
const path = fc.array(text, { minLength: 1, maxLength: 6 }).map(parts => parts.join('/'));
const number = fc.oneof(
  fc.integer({ min: 0, max: 70_000 }),
  fc.constantFrom(2_097_151, 2_097_152, 4_294_967_294),
);
const owner = fc.oneof(
  fc.constantFrom('', 'root', 'daemon'),
  component.map(name => name.slice(0, 60)),
);

const memberOf = (data: number): fc.Arbitrary<Member> =>
  fc
    .record({
      name: path.map(name => `snapshot/${name}`),
      type: fc.constantFrom<EntryType>('file', 'directory', 'symlink', 'fifo', 'chardev', 'blockdev'),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: number,
      gid: number,
      uname: owner,
      gname: owner,
      mtimeSeconds: fc.oneof(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.constantFrom(8 ** 11 - 1, 8 ** 11, 2 ** 40),
      ),
      linkname: path,
      devMajor: fc.integer({ min: 0, max: 4095 }),
      devMinor: fc.integer({ min: 0, max: 4095 }),
      size: fc.integer({ min: 0, max: data }),
    })
    .map(member => ({
      ...member,
      name: member.type === 'directory' ? `${member.name}/` : member.name,
      linkname: member.type === 'symlink' ? member.linkname : '',
      size: member.type === 'file' ? member.size : 0,
      ...(member.type === 'chardev' || member.type === 'blockdev' ? {} : { devMajor: 0, devMinor: 0 }),
    }));

const encodeHeader = (target: Buffer, member: Member) =>
  encodeMemberHeader(target, 0, member, member.name, member.size);

function encode(members: readonly Member[]): Buffer {
  const parts = members.flatMap(member => {
    const target = Buffer.alloc(MAX_HEADER_LENGTH);
    const length = encodeHeader(target, member);
    return [target.subarray(0, length), Buffer.alloc(padded(member.size), member.name.slice(0, 1))];
  });
  return Buffer.concat(parts);
}

function read(tar: Uint8Array, chunk: number): { members: TarMember[]; dataLengths: number[] } {
  const members: TarMember[] = [];
  const dataLengths: number[] = [];
  const reader = createTarReader({
    member(member) {
      members.push(member);
      dataLengths.push(0);
    },
    data(bytes) {
      dataLengths[dataLengths.length - 1]! += bytes.length;
    },
    memberEnd() {},
  });
  for (let at = 0; at < tar.length; at += chunk) reader.push(tar.subarray(at, at + chunk));
  reader.end();
  return { members, dataLengths };
}

test('createTarReader() gives back what encodeMemberHeader() wrote, however it is chunked', () =>
  fc.assert(
    fc.property(
      fc.array(memberOf(3000), { maxLength: 5 }),
      fc.integer({ min: 1, max: 2000 }),
      (members, chunk) => {
        const { members: found, dataLengths } = read(encode(members), chunk);
        assert.deepEqual(
          found.map(({ offset: _, ...member }) => member),
          members,
        );
        assert.deepEqual(
          dataLengths,
          members.map(({ size }) => size),
        );
      },
    ),
    { numRuns: 300 },
  ));

test('patchMemberSize() gives the header that the size would have given at once', () =>
  fc.assert(
    fc.property(memberOf(8 ** 11 - 1), member => {
      const [whole, patched] = [Buffer.alloc(MAX_HEADER_LENGTH), Buffer.alloc(MAX_HEADER_LENGTH)];
      const length = encodeHeader(whole, member);
      assert.equal(encodeHeader(patched, { ...member, size: 0 }), length);
      patchMemberSize(patched, length - 512, member.size);
      assert.deepEqual(patched, whole);
    }),
  ));

const python = `
import json, sys, tarfile
out = sys.stdout.buffer
for line in sys.stdin:
    m = json.loads(line)
    raw = lambda key: m[key].encode('latin1').decode('utf-8', 'surrogateescape')
    t = tarfile.TarInfo(raw('name').rstrip('/') if m['type'] == 'directory' else raw('name'))
    t.type = {'file': b'0', 'directory': b'5', 'symlink': b'2', 'fifo': b'6', 'chardev': b'3', 'blockdev': b'4'}[m['type']]
    t.mode, t.uid, t.gid, t.size, t.mtime = m['mode'], m['uid'], m['gid'], m['size'], m['mtimeSeconds']
    t.uname, t.gname, t.linkname = raw('uname'), raw('gname'), raw('linkname')
    t.devmajor, t.devminor = m['devMajor'], m['devMinor']
    out.write(t.tobuf(format=getattr(tarfile, sys.argv[1]), encoding='utf-8', errors='surrogateescape'))
    out.write(bytes((m['size'] + 511) // 512 * 512))
`;

function byPython(members: readonly Member[], format: 'PAX_FORMAT' | 'GNU_FORMAT'): Buffer {
  const input = members.map(member => JSON.stringify(member)).join('\n');
  const { status, stdout, stderr } = spawnSync('python3', ['-c', python, format], {
    input,
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

const samples = () => fc.sample(memberOf(2000), { numRuns: 400, seed: 5 });

test('encodeMemberHeader() writes what Python’s tarfile writes, to the byte', t => {
  if (!needTool(t, 'python3')) return;
  // Python takes slashes off the end of names, and numbers of devices from other types.
  const members = samples().filter(({ name }) => !name.includes('//'));
  const ours = encode(members.map(member => ({ ...member })));
  const theirs = byPython(members, 'PAX_FORMAT');
  let at = 0;
  for (const member of members) {
    const target = Buffer.alloc(MAX_HEADER_LENGTH);
    const length = encodeHeader(target, member);
    assert.ok(target.subarray(0, length).equals(theirs.subarray(at, at + length)), JSON.stringify(member));
    at += length + padded(member.size);
  }
  assert.equal(theirs.length, ours.length);
});

test('createTarReader() reads the GNU dialect: long names, large numbers, names that are not UTF-8', t => {
  if (!needTool(t, 'python3')) return;
  const members = samples().filter(({ uname, gname }) => uname.length <= 32 && gname.length <= 32);
  const { members: found } = read(byPython(members, 'GNU_FORMAT'), 10_000);
  assert.deepEqual(
    found.map(({ offset: _, ...member }) => member),
    members,
  );
});

test('createTarReader() finds every damage of a header, and never takes a cut stream for a whole one', () => {
  const tar = encode(
    fc
      .sample(memberOf(700), { numRuns: 3, seed: 9 })
      .map(member => ({ ...member, type: 'file' as const, size: 700 })),
  );
  const whole = read(tar, 512);
  const isDamaged = (error: unknown) => error instanceof BackupError && error.code === 'damaged';
  for (let cut = 1; cut < tar.length; cut += 7) {
    let found: ReturnType<typeof read> | undefined;
    try {
      found = read(tar.subarray(0, cut), 512);
    } catch (error) {
      assert.ok(isDamaged(error), String(error));
    }
    if (found) assert.deepEqual(found.members, whole.members.slice(0, found.members.length)); // cut between members
  }
  for (let bit = 0; bit < 512 * 8; bit += 3) {
    const flipped = Buffer.from(tar);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      assert.deepEqual(read(flipped, 4096).members, whole.members, `bit ${bit}`); // the sum itself, written in another way
      assert.ok(bit >= 148 * 8 && bit < 156 * 8, `bit ${bit}`);
    } catch (error) {
      assert.ok(isDamaged(error), String(error));
    }
  }
});

test('createTarReader() stops at the first block of zeros, whatever stands behind', () => {
  const [member] = fc.sample(memberOf(100), { numRuns: 1, seed: 1 });
  const tar = Buffer.concat([encode([member!]), Buffer.alloc(512), Buffer.alloc(3000, 0xff)]);
  assert.equal(read(tar, 100).members.length, 1);
});
