/**
 * A profile's first weeks, on a clock of the test's: set up, scheduled, interrupted, asleep, damaged, locked out, well.
 * The mails that a person would have got are kept beside this file; TSBACKUP_GOLDEN=write writes them anew.
 */

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Fault, type Seen, s3Error, startFaultProxy } from '../support/fault-proxy.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type ProgramOptions } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { startS3Server } from '../support/s3-server.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

const golden = fileURLToPath(new URL('../../../test/commands/run-story.txt', import.meta.url));
/** Monday, 2014-12-15 21:15:00 UTC. */
const FIRST_RUN = 1418678100;
const WEEK = 7 * 86_400;

test('from init to the seventh week: every mail that a person would have got', async t => {
  const program = createProgram(t);
  const server = await startS3Server();
  t.after(() => server.close());
  let choose: ((seen: Seen) => Fault | undefined) | undefined;
  const proxy = await startFaultProxy(server.port, seen => choose?.(seen));
  t.after(() => proxy.close());
  const { options, fail, heal } = createSleepingSource(program);

  const source = join(program.home, 'photos');
  const random = createRandom(8);
  mkdirSync(join(source, '2014'), { recursive: true });
  for (let i = 0; i < 8; i++) writeFileSync(join(source, '2014', `IMG_${i}.jpg`), random.bytes(600_000));

  const mails = join(program.home, 'mails');
  mkdirSync(mails);
  const sendmail = join(program.home, 'sendmail');
  writeFileSync(sendmail, `#!/bin/sh\nexec cat > "${mails}/$(ls '${mails}' | wc -l)"\n`);
  chmodSync(sendmail, 0o755);

  // Set up, as a person answers the questions.
  const answers = [
    source,
    's3://bucket/photos',
    'S3RVER',
    'S3RVER',
    'generated',
    'Mon 21:15',
    'anna@example.org',
  ];
  const endpoint = ['--s3-endpoint-url', proxy.url];
  const more = ['always', 'pi@example.org', '', 'no'];
  const env = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null' };
  const asked = await program.run(['init', 'photos', ...endpoint], {
    ...{ env, input: `${[...answers, ...more].join('\n')}\n` },
  });
  expectStatus(asked);
  const profile = join(program.home, '.config', 'tsbackup', 'photos.toml');
  const text = readFileSync(profile, 'utf8')
    .replace('[options]', '[options]\nvolsize = 1\nsource-retry-for = 1\nnum-retries = 1\nretry-for = 1')
    .replace('check = "5%"', 'check = "100%"')
    .replace('[mail]', `[prune]\nkeep-last = 4\n\n[mail]\nsendmail = "${sendmail}"`);
  writeFileSync(profile, text);
  expectStatus(await program.run(['config', 'check', 'photos'], { env }));
  const printed = await program.run(['schedule', 'install', 'photos', '--print', '--kind', 'crontab'], {
    env,
  });
  if (process.getuid?.() !== 0 || printed.status === 0)
    assert.match(expectStatus(printed).stdout, /^15 21 \* \* 1 .* run photos >\/dev\/null$/m);

  let week = 0;
  const command = () => ['run', 'photos', '--current-time', String(FIRST_RUN + week * WEEK)];
  const runOptions: ProgramOptions = { ...options, env: { ...env, ...options.env } };
  const run = () => program.run(command(), runOptions);

  // Week 1: the power fails while the second volume is on its way.
  const log = join(program.home, '.local/state/tsbackup/photos/log');
  const isOnItsWay = ({ method, url }: Seen) => method !== 'GET' && url.includes('.vol2.');
  choose = seen => (isOnItsWay(seen) ? { kind: 'hang' } : undefined);
  const first = program.start(command(), runOptions);
  const isStored = () => existsSync(log) && readFileSync(log, 'utf8').includes('Processed volume 1\n');
  while (!isStored() || !proxy.seen.some(isOnItsWay)) await sleep(5);
  choose = undefined;
  first.kill('SIGKILL');
  await first.done;
  assert.deepEqual(readdirSync(mails), [], 'a dead process sends nothing');

  // Week 2: it is continued.
  week++;
  expectStatus(await run());
  // Week 3: the drive with the photographs sleeps and does not wake up.
  week++;
  writeFileSync(join(source, '2014', 'IMG_8.jpg'), random.bytes(300_000));
  fail({ code: 'EIO', match: source });
  expectStatus(await run(), 75);
  heal();
  // Week 4: one photograph can't be read.
  week++;
  fail({ code: 'EACCES', match: join(source, '2014', 'IMG_8.jpg') });
  expectStatus(await run(), 3);
  heal();
  // Week 5: a volume at the target is damaged.
  week++;
  const volume = findVolume(server.folder);
  const whole = readFileSync(volume);
  writeFileSync(volume, Buffer.concat([whole.subarray(0, 1000), Buffer.alloc(24), whole.subarray(1024)]));
  expectStatus(await run(), 1);
  writeFileSync(volume, whole);
  // Week 6: the credentials have expired.
  week++;
  choose = () => s3Error(403, 'ExpiredToken');
  expectStatus(await run(), 13);
  choose = undefined;
  // Week 7: all is well, and the damaged chain is not continued.
  week++;
  expectStatus(await run());

  const status = await program.run(
    ['status', 'photos', '--current-time', String(FIRST_RUN + week * WEEK + 3600)],
    { env },
  );
  assert.match(expectStatus(status).stdout, /^photos: ok\n {2}last success .*\n/);
  const late = await program.run(
    ['status', '--max-age', '8D', '--current-time', String(FIRST_RUN + (week + 2) * WEEK)],
    { env },
  );
  assert.match(expectStatus(late, 1).stdout, /the last success is too old/);
  assert.match(readFileSync(log, 'utf8'), / INFO Processed volume 2\n/);

  // And what it was all for.
  const back = join(program.home, 'back');
  expectStatus(await program.run(['restore', '--profile', 'photos', back], { env }));
  assertSameTree(snapshotTree(back), snapshotTree(source));

  const received = readdirSync(mails)
    .sort((a, b) => Number(a) - Number(b))
    .map(name => letterIn(readFileSync(join(mails, name), 'utf8'), program.home, proxy.url))
    .join(`\n${'='.repeat(80)}\n\n`);
  if (process.env.TSBACKUP_GOLDEN === 'write') writeFileSync(golden, received);
  assert.equal(received, readFileSync(golden, 'utf8'));
});

/** The first volume of the full set, as the server keeps it. */
function findVolume(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const name = names.find(path => /full.*\.vol1\.difftar\.gpg.*_object$/.test(path));
  assert.ok(name, names.join('\n'));
  return join(folder, name);
}

/** Headers that matter and the text, without what differs from run to run. */
function letterIn(mail: string, home: string, url: string): string {
  const [head = '', ...rest] = mail.replaceAll('\r\n', '\n').split('\n\n');
  const headers = head.split('\n').filter(line => /^(From|To|Subject): /.test(line));
  const encoding = /^Content-Transfer-Encoding: (.*)$/m.exec(head)?.[1];
  const raw = rest.join('\n\n');
  const body =
    encoding === 'quoted-printable'
      ? raw
          .replace(/=\n/g, '')
          .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
      : raw;
  return `${headers.join('\n')}\n\n${body}`
    .replaceAll(home, '/home/anna')
    .replaceAll(url, 'https://s3.example')
    .replace(/^On .*?, from/gm, 'On pi, from')
    .replace(/\d+(\.\d+)? (bytes|KB|MB)/g, 'N $2')
    .replace(/(^\w+ )\d+(\.\d+)?(?= \(N )/gm, '$1N')
    .replace(/^(StartTime|EndTime|ElapsedTime) .*$/gm, '$1 …')
    .replace(/(?<=\d\d:\d\d):\d\d/g, ':SS')
    .replace(/(?<=T\d{4})\d\dZ/g, 'SSZ')
    .replace(/^.* INFO Processed volume \d+\n/gm, '') // how many were left when it was killed
    .replace(/(?<=interrupted: )\d+ volumes? (is|are)/g, 'N volumes are');
}
