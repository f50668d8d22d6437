/** What V8 has compiled of the bundle, kept beside it: it speeds things up and changes nothing. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectStatus, runProgram } from '../support/processes.ts';
import { tempDir } from '../support/temp-dir.ts';

const module = fileURLToPath(new URL('../../src/cli/compiled-script.js', import.meta.url));

test('compiled code that is not what was written is not run, and is written anew', async t => {
  const folder = tempDir(t);
  const file = join(folder, 'script.cjs');
  writeFileSync(file, "(function (module) { module.exports = 'what it says'; })");
  const code = `import(process.argv[1]).then(it => console.log(it.loadCompiled(process.argv[2])))`;
  const env = { PATH: process.env.PATH ?? '' };
  const says = async () =>
    expectStatus(await runProgram(process.execPath, ['-e', code, module, file], { env })).stdout;
  assert.equal(await says(), 'what it says\n');
  const [name = ''] = readdirSync(folder).filter(one => one !== 'script.cjs');
  const compiled = join(folder, name);
  const whole = readFileSync(compiled);
  assert.equal(await says(), 'what it says\n');
  assert.ok(readFileSync(compiled).equals(whole), 'it fits');

  const flipped = Buffer.from(whole);
  const at = whole.indexOf('what it says');
  assert.ok(at > 0);
  flipped.write('somewhat odd', at);
  const zeroed = Buffer.from(whole).fill(0, whole.length / 2);
  for (const damaged of [flipped, zeroed, whole.subarray(0, -1), Buffer.alloc(0)]) {
    writeFileSync(compiled, damaged);
    assert.equal(await says(), 'what it says\n');
    assert.ok(!readFileSync(compiled).equals(damaged));
  }
});

test('code that was compiled of another version of the file is not run', async t => {
  const file = join(tempDir(t), 'script.cjs');
  const code = `import(process.argv[1]).then(it => console.log(it.loadCompiled(process.argv[2])))`;
  const env = { PATH: process.env.PATH ?? '' };
  for (const text of ['what it says', 'another text']) {
    writeFileSync(file, `(function (module) { module.exports = '${text}'; })`);
    const result = await runProgram(process.execPath, ['-e', code, module, file], { env });
    assert.equal(expectStatus(result).stdout, `${text}\n`);
  }
});
