/** What `npm run package` makes for this machine: a program that needs nothing around it but Node.js. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectStatus, runProgram } from './support/processes.ts';
import { createProgram } from './support/program.ts';
import { credentials, startS3Server } from './support/s3-server.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Each dependency that is loaded by its name when it is wanted, and something that the program wants of it. */
const wanted = {
  'cli-progress': 'SingleBar',
  nodemailer: 'createTransport',
  openpgp: 'readKey',
  'smol-toml': 'parse',
};

test('npm installs the manual page too', () => {
  const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: unknown };
  assert.deepEqual(man, ['dist/man/tsbackup.1']); // of a text npm takes no notice when it installs a package file
});

test('the package is few files, and they are enough', async t => {
  const { home, env } = createProgram(t);
  const options = { env: { ...env, ...credentials, PASSPHRASE: 'of the package' }, cwd: home };
  const node = (...words: string[]) => runProgram(process.execPath, words, options);

  const made = await runProgram(process.execPath, [join(root, 'scripts/package.mjs')], { env, cwd: root });
  expectStatus(made);
  expectStatus(await runProgram('tar', ['-xzf', made.stdout.trim()], options));
  const place = join(home, 'tsbackup');
  const files = readdirSync(place, { recursive: true, withFileTypes: true }).filter(
    entry => !entry.isDirectory(),
  );
  assert.ok(files.length < 60, `${files.length} files`);
  const licences = files.filter(({ name }) => /^LICENSES?$/.test(name));
  assert.equal(licences.length, 2 + Object.keys(wanted).length); // its own, and those of what is in its bundle

  // A thread whose file is missing would only be told of in a debug line.
  const bundles = files.filter(({ name }) => name.endsWith('.cjs'));
  const threads = bundles.flatMap(({ parentPath, name }) =>
    [...readFileSync(join(parentPath, name), 'utf8').matchAll(/new URL\("\.\/([\w-]+\.js)"/g)].map(
      ([, file]) => file!,
    ),
  );
  assert.ok(threads.includes('read-ahead-worker.js'));
  for (const file of threads)
    assert.ok(
      files.some(({ name }) => name === file),
      file,
    );

  const program = join(place, 'bin/tsbackup');
  for (const [name, part] of Object.entries(wanted)) {
    const script = `const { ${part} } = require('node:module').createRequire(process.argv[1])('${name}'); console.log(typeof ${part})`;
    const result = await node('-e', script, join(place, 'dist/bin/tsbackup.cjs'));
    expectStatus(result);
    assert.equal(result.stdout, 'function\n', name);
  }

  const server = await startS3Server();
  t.after(() => server.close());
  mkdirSync(join(home, 'source'));
  const text = 'contents\n'.repeat(1000);
  writeFileSync(join(home, 'source/file'), text);
  const target = [`s3://${server.bucket}/package`, '--s3-endpoint-url', server.url];
  expectStatus(await node(program, 'full', join(home, 'source'), ...target));
  expectStatus(await node(program, 'restore', ...target, join(home, 'restored')));
  assert.equal(readFileSync(join(home, 'restored/file'), 'utf8'), text);
});
