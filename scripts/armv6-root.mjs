// A folder that holds a 32-bit ARM port of Debian with its Node.js, for qemu's emulation: armel runs on an ARM1176, the
// processor of the first Raspberry Pis; armhf is what Raspberry Pi OS is made of, and wants a newer one. Debian's apt downloads it in an area of its own; nothing of the machine changes.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export const QEMU = '/usr/bin/qemu-arm-static';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** What runs a port, and the package (see package.mjs) that is for it. */
export const ports = {
  armel: { cpu: 'arm1176', package: 'armel', name: 'the emulated ARM1176' },
  armhf: { cpu: 'cortex-a7', package: 'armv6', name: 'the emulated Cortex-A7' },
};

/**
 * Makes the root if it is not there yet.
 * @param folder for the packages and the root
 * @param port a key of `ports`
 * @param source lines for apt in place of Debian 13, its updates and security suite from where this machine has its packages
 * @returns the root's folder
 */
export function makeRoot(folder, port, source = debian(port)) {
  const root = join(folder, 'root');
  if (existsSync(join(root, 'usr/bin/node'))) return root;
  for (const part of ['lists/partial', 'cache/archives/partial', 'root']) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(join(folder, 'sources.list'), `${source}\n`);
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Architecture': port,
    'APT::Architectures::': port,
    'APT::Get::Download-Only': 'true',
  };
  const apt = (...words) =>
    run('apt-get', [
      '-q',
      ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
      ...words,
    ]);
  const wanted = ['--no-install-recommends', 'nodejs', 'libc6'];
  const archives = join(folder, 'cache/archives');
  const failures = [];
  const attempt = (...words) => {
    try {
      apt(...words);
    } catch (error) {
      failures.push(error.message); // of lists and packages some may be had, and be enough
    }
  };
  attempt('update');
  const plan = apt('install', '--simulate', ...wanted);
  attempt('install', '-y', ...wanted);
  for (const file of chosen(plan, readdirSync(archives), archives, failures)) {
    run('dpkg', ['-x', join(archives, file), root]);
  }
  for (const name of ['lib', 'bin', 'sbin']) {
    if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const name of ['proc', 'dev', 'tmp', 'opt', 'home']) mkdirSync(join(root, name), { recursive: true });
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  copyFileSync(QEMU, join(root, QEMU));
  return root;
}

/**
 * One file for each package that apt wants: the revision that it lists, or else another that somebody put there.
 * @param plan what apt says that it would install
 */
function chosen(plan, files, archives, failures) {
  const missing = [];
  const found = [...plan.matchAll(/^Inst (\S+) \((\S+) /gm)].map(([, name, version]) => {
    const own = files.filter(file => file.startsWith(`${name}_`) && file.endsWith('.deb'));
    const listed = `${name}_${version.replace(':', '%3a')}_`;
    const file = own.find(file => file.startsWith(listed)) ?? own.at(-1);
    if (!file) missing.push(`${name} (${version})`);
    return file;
  });
  if (missing.length === 0) return found;
  throw new Error(
    `apt could not download ${missing.join(', ')}. Other revisions that fit each other will do: ` +
      `put their .deb files into ${archives} and try again.\n${failures.join('\n')}`,
  );
}

/** Lines for apt: Debian 13 from where this machine has its own packages, in the new form of apt's sources or the old one. */
function debian(port) {
  const forms = [
    ['/etc/apt/sources.list.d/debian.sources', /^URIs:\s*(\S+)/gm],
    ['/etc/apt/sources.list', /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/gm],
  ];
  for (const [file, form] of forms) {
    const uris = existsSync(file) ? [...readFileSync(file, 'utf8').matchAll(form)].map(([, uri]) => uri) : [];
    const suites = [...new Set(uris)].flatMap(uri =>
      (uri.includes('security') ? ['trixie-security'] : ['trixie', 'trixie-updates']).map(
        suite => `deb [arch=${port} signed-by=${KEYRING}] ${uri} ${suite} main`,
      ),
    );
    if (suites.length > 0) return suites.join('\n');
  }
  throw new Error("apt's sources on this machine do not say where Debian's packages are");
}

export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error || status !== 0) throw new Error(`${command} ${args[0]}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}
