// npm run test:armv6 [-- FOLDER]: the packaged program on an emulated ARM1176 with one core, as on a Raspberry Pi B+:
// backs up, is killed, continues, restores, to a folder and to S3, with the WebAssembly kernel and without. Prints what
// docs/raspberry-pi.md shows. Needs root (for chroot), Debian, qemu-user-static and g++-arm-linux-gnueabi. FOLDER keeps
// the emulated root for the next time (default: in ~/.cache). ARM_SOURCE is another line for apt. With ARM_PORT=armhf the
// package for Raspberry Pi OS is tried in Debian's port for it, on a newer processor (needs g++-arm-linux-gnueabihf).
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeRoot, ports, QEMU, run } from './armv6-root.mjs';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const node = `node${process.versions.node.split('.')[0]}`;
const name = process.env.ARM_PORT || 'armel';
const port = ports[name];
if (!port) throw new Error(`ARM_PORT is ${Object.keys(ports).join(' or ')}, not ${name}`);
const cache = join(homedir(), '.cache', `tsbackup-${name}`);
const folder = resolve(process.argv[2] ?? cache);
const root = makeRoot(folder, name, process.env.ARM_SOURCE);
const tarball = `dist/tsbackup-${version}-${node}-linux-${port.package}.tar.gz`;
process.stderr.write(`packaging for ${port.package}\n`);
run(process.execPath, ['scripts/package.mjs', port.package]);
rmSync(join(root, 'opt/tsbackup'), { recursive: true, force: true });
run('tar', ['-xzf', tarball, '-C', join(root, 'opt')]);

const home = '/home/pi';
for (const place of [home, 'etc/tsbackup']) rmSync(join(root, place), { recursive: true, force: true });
mkdirSync(join(root, home), { recursive: true });
const { createRandom } = await import('../dist/test/support/random.js');
const { startS3Server } = await import('../dist/test/support/s3-server.js');
makeSource(join(root, home, 'photos'));

/** What a run may have in memory. */
const LIMIT_MB = 120;
const rows = [];
const server = await startS3Server();
mount('proc');
mount('dev');
try {
  await scenario();
} finally {
  for (const name of ['proc', 'dev']) spawnSync('umount', [join(root, name)]);
  await server.close();
}
console.log(`| on ${port.name} | seconds | peak RSS, MB | without the emulator |\n|---|---|---|---|`);
for (const { what, seconds, peak, own } of rows) {
  console.log(`| ${what} | ${seconds.toFixed(1)} | ${shown(peak)} | ${shown(own)} |`);
}
const most = Math.max(...rows.flatMap(({ own }) => own ?? []));
console.log(
  `\nPeak of all: ${shown(Math.max(...rows.map(({ peak }) => peak)))} MB; without the emulator's own share ${shown(most)} MB.`,
);
if (!(most < LIMIT_MB)) throw new Error(`the program needs ${most} MB; ${LIMIT_MB} are what a Pi has for it`);

async function scenario() {
  const url = `file://${home}/nas`;
  const photos = `${home}/photos`;
  const s3 = ['s3://bucket/pi', '--s3-endpoint-url', server.url];
  const what = 'volsize 5 MiB, encrypted';
  await step('emulated `node -e 0`', ['-e', '0'], { bare: true });
  await step('`tsbackup --version`', ['--version']);
  await step(`full, ${what}`, ['full', '--volsize', '5', photos, url]);
  await step('incremental, nothing changed', ['incremental', photos, url]);
  change(join(root, photos), 'once');
  await step('incremental, a file changed and one came', ['incremental', photos, url]);
  await step('restore', ['restore', url, `${home}/back`]);
  same('back');
  await killed(['full', '--volsize', '5', photos, url]);
  const resumed = await step('the full backup that was killed, continued', [
    'full',
    '--volsize',
    '5',
    photos,
    url,
  ]);
  if (!resumed.includes('Continuing the full backup')) throw new Error(`not continued:\n${resumed}`);
  await step('verify, contents compared', ['verify', '--compare-data', url, photos]);
  await step('check', ['check', url]);
  change(join(root, photos), 'twice');
  await step('incremental without WebAssembly', ['incremental', photos, url], { node: ['--jitless'] });
  await step('restore without WebAssembly', ['restore', url, `${home}/jitless`], { node: ['--jitless'] });
  same('jitless');
  await step('full to S3', ['full', '--volsize', '5', photos, ...s3]);
  await step('restore from S3', ['restore', ...s3, `${home}/from-s3`]);
  same('from-s3');
  await limited(photos);
  await guide(photos);
  if (spawnSync('duplicity', ['--version']).error) return;
  const place = join(folder, 'by-duplicity');
  rmSync(place, { recursive: true, force: true });
  const options = ['--archive-dir', join(folder, 'duplicity-cache')];
  run('duplicity', ['restore', ...options, `file://${join(root, home, 'nas')}`, place], {
    env: { ...process.env, PASSPHRASE: 'pi' },
  });
  run('diff', ['-r', place, join(root, photos)]);
  rmSync(place, { recursive: true, force: true });
  process.stderr.write('the real duplicity restores it equal\n');
}

function shown(megabytes) {
  return megabytes === undefined ? '–' : Math.round(megabytes);
}

/** With little memory, the page cache included: enough for the emulator too, and on this machine what a Pi should need. */
async function limited(photos) {
  const limits = { 192: 'emulator included', 120: 'not emulated' };
  for (const [megabytes, what] of Object.entries(limits)) {
    const group = memoryGroup(megabytes * 1_000_000);
    if (!group) {
      process.stderr.write('no cgroup can be made here: memory was not limited\n');
      return;
    }
    try {
      const options = { group, native: megabytes === '120' };
      const place = options.native ? join(root, home) : home;
      const source = options.native ? join(root, photos) : photos;
      const s3 = [`s3://bucket/in-${megabytes}`, '--s3-endpoint-url', server.url];
      const within = `in a cgroup of ${megabytes} MB (${what})`;
      const url = `file://${place}/in-${megabytes}`;
      await step(`full ${within}`, ['full', '--volsize', '5', source, url], options);
      await step(`restore ${within}`, ['restore', url, `${place}/from-${megabytes}`], options);
      same(`from-${megabytes}`);
      await step(`full to S3 ${within}`, ['full', '--volsize', '5', source, ...s3], options);
    } finally {
      rmdirSync(group);
    }
  }
}

/** A folder whose processes get so many bytes of memory; undefined where the kernel lets us make none. */
function memoryGroup(bytes) {
  const name = `tsbackup-armv6-${process.pid}`;
  const kinds = [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ];
  for (const [base, file] of kinds) {
    const group = join(base, name);
    try {
      mkdirSync(group);
      writeFileSync(join(group, file), String(bytes));
      return group;
    } catch {
      // the other kind, or none
    }
  }
}

/** The commands of docs/raspberry-pi.md. */
async function guide(photos) {
  const answers = [photos, `file://${home}/usb`, 'generated', 'Mon 21:15', ''];
  await step('init', ['init', 'photos'], { input: `${answers.join('\n')}\n` });
  await step('config check', ['config', 'check', 'photos']);
  await step('run', ['run', 'photos']);
  const timer = ['schedule', 'install', 'photos', '--print', '--kind', 'systemd'];
  const unit = await step('schedule install --print', timer);
  if (!unit.includes('OnCalendar=Mon *-*-* 21:15')) throw new Error(`not the timer:\n${unit}`);
  await step('status', ['status', 'photos']);
  const kit = await step('recovery-kit', ['recovery-kit', 'photos']);
  if (!kit.includes('duplicity restore')) throw new Error(`not the kit:\n${kit}`);
  await step('restore of the profile', ['restore', '--profile', 'photos', `${home}/from-profile`]);
  same('from-profile');
}

/** A call of the program (or of Node alone) in the root, with one core; its time and memory become a row. */
async function step(what, words, { bare = false, node = [], input = '', group, native = false } = {}) {
  const report = join(tmpdir(), `tsbackup-armv6-${process.pid}`);
  const measured = ['/usr/bin/time', '-f', '%e %M', '-o', report];
  const joined = group ? ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', group] : [];
  const program = native ? 'dist/bin/cli.js' : '/opt/tsbackup/bin/tsbackup';
  const all = bare ? words : [...node, program, ...words];
  const child = start(all, [...joined, ...measured], native);
  child.process.stdin.end(input);
  const own = native ? undefined : watchMemory(child.process.pid);
  const { status, output } = await child.ended;
  const most = own?.();
  if (status !== 0) throw new Error(`${what}: status ${status}\n${output}`);
  const [seconds, kilobytes] = readFileSync(report, 'utf8').split(' ').map(Number);
  rmSync(report, { force: true });
  const row = { what, seconds, peak: kilobytes / 1000, own: most };
  rows.push(row);
  process.stderr.write(`${what}: ${seconds} s, ${shown(row.peak)} MB (${shown(row.own)})\n`);
  return output;
}

/**
 * Looks every 25 ms how much memory the emulated program below a process has for itself. The emulator maps all that
 * belongs to a 32-bit program below 4 GiB, and what is its own (the translated code above all) beyond.
 * @returns what stops it and tells the most that was seen, in MB
 */
function watchMemory(pid) {
  let peak = 0;
  const look = () => {
    try {
      const emulator = emulatorOf(pid);
      if (!emulator) return;
      let counts = false;
      let kilobytes = 0;
      for (const line of readFileSync(`/proc/${emulator}/smaps`, 'latin1').split('\n')) {
        const mapped = /^([0-9a-f]+)-[0-9a-f]+ /.exec(line);
        if (mapped) counts = Number.parseInt(mapped[1], 16) < 2 ** 32;
        else if (counts && line.startsWith('Rss:')) kilobytes += Number.parseInt(line.slice(4), 10);
      }
      peak = Math.max(peak, kilobytes * 1.024e-3);
    } catch {
      // it has ended meanwhile
    }
  };
  const timer = setInterval(look, 25);
  return () => {
    clearInterval(timer);
    return peak || undefined;
  };
}

/** The process that a chain of wrappers has come to, once that is the emulator. */
function emulatorOf(pid) {
  if (readlinkSync(`/proc/${pid}/exe`).endsWith(QEMU)) return pid;
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return child && emulatorOf(child);
}

/** Ended by SIGKILL once a volume is at the target. */
async function killed(words) {
  const child = start(['/opt/tsbackup/bin/tsbackup', '-v', 'info', ...words], []);
  await child.says('Processed volume 1');
  child.process.kill('SIGKILL');
  await child.ended;
}

function start(words, wrapper, native = false) {
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: native ? join(root, home) : home,
    PASSPHRASE: 'pi',
    LC_ALL: 'C.UTF-8',
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const emulated = ['chroot', root, QEMU, '-cpu', port.cpu, '/usr/bin/node'];
  const node = native ? [process.execPath] : emulated;
  const [command, ...args] = [...wrapper, 'taskset', '-c', '0', ...node, ...words];
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let heard = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text;
      heard();
    });
  }
  const ended = new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', status => done({ status, output }));
  });
  const says = text =>
    new Promise((done, fail) => {
      heard = () => output.includes(text) && done();
      ended.then(() => fail(new Error(`it ended before it said '${text}':\n${output}`)));
    });
  return { process: child, ended, says };
}

/** 300 small files, and 24 MB in photographs. */
function makeSource(place) {
  const random = createRandom(6);
  for (let i = 0; i < 300; i++) {
    mkdirSync(join(place, 'notes', `${i % 10}`), { recursive: true });
    writeFileSync(join(place, 'notes', `${i % 10}`, `${i}.txt`), `note ${i}\n`.repeat(200));
  }
  mkdirSync(join(place, '2014'));
  for (let i = 0; i < 8; i++) writeFileSync(join(place, '2014', `IMG_${i}.jpg`), random.bytes(3_000_000));
}

function change(place, how) {
  const file = join(place, '2014', 'IMG_3.jpg');
  const bytes = readFileSync(file);
  bytes.write(`changed ${how}`, 1_500_000);
  writeFileSync(file, bytes);
  cpSync(file, join(place, '2014', `copy, ${how}.jpg`));
}

function same(name) {
  run('diff', ['-r', join(root, home, 'photos'), join(root, home, name)]);
}

function mount(name) {
  run('mount', ['--bind', `/${name}`, join(root, name)]);
}
