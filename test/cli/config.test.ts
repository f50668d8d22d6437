/** `config check` calls a profile well only if a run could begin with it. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';

const wrong: readonly (readonly [lines: string, told: RegExp])[] = [
  ['[options]\nexclude-regexp = "("', /\(/],
  ['[options]\nexclude = "/elsewhere"', /\/elsewhere/],
  ['[options]\ninclude-filelist = "absent"', /absent/],
  ['[options]\nvolsize = 0', /--volsize takes 1 to 1000000, not 0/],
  ['[options]\ntimeout = 0', /--timeout takes 1 to/],
  ['[options]\nupload-limit = 0', /--upload-limit takes 1 to/],
  ['[options]\ndownload-limit = 0', /--download-limit takes 1 to/],
  ['[options]\ns3-path-style = "maybe"', /--s3-path-style takes yes or no, not 'maybe'/],
  ['[options]\nthaw-tier = "warm"', /--thaw-tier takes/],
  ['[options]\nstall-timeout = 9999999', /--stall-timeout takes 0 to/],
  ['[options]\nname = "../x"', /"\.\.\/x" can't be a name here/],
  ['[options]\nfile-prefix = "a/b"', /"a\/bduplicity" can't be a name here.*file prefix options/],
  ['[options]\nlog-max-size = "big"', /--log-max-size .*'big'/],
  ['[options]\nno-compression = "yes"', /options\.no-compression takes true or false, not "yes"/],
  ['[options]\ndry-run = true', /p\d+\.toml: options\.dry-run is not allowed: --dry-run has to be typed/],
  ['[options]\nforce = true', /p\d+\.toml: options\.force is not allowed/],
  ['[options]\ncompare-data = "yes"', /options\.compare-data takes true or false/],
  ['[prune]\nkeep-daily = 7\nkeep-full-min = 0', /at least one chain has to be kept/],
  ['[prune]', /say what to keep/],
  [
    '[mail]\nto = "a@x"\n[mail.smtp]\nhost = "h"\nport = 99999',
    /mail\.smtp\.port takes 1 to 65535, not 99999/,
  ],
];

test('config check finds a target that lies in the source, if it is not left out', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config/tsbackup');
  mkdirSync(config, { recursive: true });
  const check = (lines: string, source = program.home) => {
    writeFileSync(
      join(config, 'p.toml'),
      `source = "${source}"\ntarget = "file://${program.home}/backups"\n${lines}\n`,
    );
    return program.run(['config', 'check', 'p']);
  };
  assert.match(expectStatus(await check(''), 2).stderr, /the target .*backups lies in the source/);
  expectStatus(await check('[options]\nexclude = "**/backups"'));
  assert.match(expectStatus(await check('', '/'), 2).stderr, /the target .*backups lies in the source \/; /);
});

test('config check finds what a run would refuse before it touches anything', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config/tsbackup');
  mkdirSync(config, { recursive: true });
  const check = (name: string, lines: string) => {
    writeFileSync(
      join(config, `${name}.toml`),
      `source = "${program.home}"\ntarget = "file:///t"\n${lines}\n`,
    );
    return program.run(['config', 'check', name]);
  };
  await Promise.all(
    wrong.map(async ([lines, told], at) => {
      const { stderr } = expectStatus(await check(`p${at}`, lines), 2);
      assert.match(stderr, /^Error: [^\n]+\n$/, lines);
      assert.match(stderr, told, lines);
    }),
  );
  const well = '[options]\nexclude = "**/x"\nvolsize = 1\n[prune]\nkeep-daily = 7';
  assert.match(expectStatus(await check('well', well)).stdout, /is well/);
});

test('config check warns of a passphrase that a new archive is refused', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config/tsbackup');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'secret'), 'sec\r\n', { mode: 0o600 });
  writeFileSync(
    join(config, 'p.toml'),
    `source = "${program.home}"\ntarget = "file:///t"\npassphrase-file = "secret"\n`,
  );
  const { stdout, stderr } = expectStatus(await program.run(['config', 'check', 'p']));
  assert.match(stdout, /is well/);
  assert.match(stderr, /^Warning: the passphrase ends with a carriage return/m);
});
