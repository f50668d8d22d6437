import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { createIdNames } from '../../src/files/ids.ts';
import { needTool } from '../support/tools.ts';
import { scratch } from './support.ts';

/** Databases of a few rows, and a getent that knows one user, one group, and writes down what it is asked. */
function databases(t: { after(work: () => void): void }) {
  const folder = scratch(t);
  const files = { passwd: `${folder}/passwd`, group: `${folder}/group`, getent: `${folder}/getent` };
  const rows = [
    'root:x:0:0:root:/root:/bin/sh',
    'toor:x:0:0::/:',
    'b\xfcro:x:7:7::/:',
    '+::::::',
    'bad:x:no:',
    '',
  ];
  writeFileSync(files.passwd, rows.join('\n'), 'latin1');
  writeFileSync(files.group, 'wheel:x:0:a,b\nusers:x:100:\n');
  const asked = `${folder}/asked`;
  const script = `#!/bin/sh
echo "$*" >> ${asked}
case "$*" in
  "passwd 5000"|"passwd far") echo far:x:5000:5000::/: ;;
  "group 6000"|"group far folk") echo "far folk:x:6000:" ;;
  *) exit 2 ;;
esac
`;
  writeFileSync(files.getent, script, { mode: 0o755 });
  writeFileSync(asked, '');
  return { files, asked: () => readFileSync(asked, 'utf8').trimEnd() };
}

test('createIdNames() reads both files as bytes; the first row counts', t => {
  const { files } = databases(t);
  const names = createIdNames({ ...files, getent: '' });
  assert.deepEqual([0, 7, 100].map(names.uname), ['root', 'b\xfcro', '']);
  assert.deepEqual([0, 7, 100].map(names.gname), ['wheel', '', 'users']);
  assert.deepEqual(['root', 'toor', 'b\xfcro', 'bad', '', '+'].map(names.uid), [
    0,
    0,
    7,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(['wheel', 'root'].map(names.gid), [0, undefined]);
});

test('createIdNames() asks getent for the rest, once each', t => {
  const { files, asked } = databases(t);
  const names = createIdNames(files);
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(
      [names.uname(5000), names.uname(1), names.uid('far'), names.uid('none')],
      ['far', '', 5000, undefined],
    );
    assert.deepEqual([names.gname(6000), names.gid('far folk'), names.uname(0)], ['far folk', 6000, 'root']);
  }
  assert.deepEqual(asked().split('\n').sort(), [
    'group 6000',
    'group far folk',
    'passwd 1',
    'passwd 5000',
    'passwd far',
    'passwd none',
  ]);
});

test('createIdNames() hands no name to getent that it would take for something else', t => {
  const { files, asked } = databases(t);
  const names = createIdNames(files);
  for (const name of ['5000', '-s', '--help', 'b\xe4d', 'a\0b', 'a\nb', '', 'x'.repeat(300)]) {
    assert.equal(names.uid(name), undefined);
  }
  assert.equal(asked(), '');
});

test('createIdNames() does without files and without getent', () => {
  const names = createIdNames({
    passwd: '/nowhere/passwd',
    group: '/nowhere/group',
    getent: '/nowhere/getent',
  });
  assert.deepEqual(
    [names.uname(0), names.gname(0), names.uid('root'), names.gid('root')],
    ['', '', undefined, undefined],
  );
});

test('createIdNames() agrees with the system', t => {
  if (!needTool(t, 'id')) return;
  const names = createIdNames();
  const said = (flags: string) => execFileSync('id', [flags], { encoding: 'latin1' }).trim();
  assert.equal(names.uname(process.getuid!()), said('-un'));
  assert.equal(names.gname(process.getgid!()), said('-gn'));
  assert.equal(names.uid(said('-un')), process.getuid!());
});
