// npm run package [-- TARGET]: a tarball of tsbackup with all that it needs but Node.js, so that nothing is compiled
// where it is unpacked, in few files, because cards of small machines are slow with many. TARGET is `native` (this
// machine), `armv6` (Raspberry Pi OS, 32 bits: any Pi) or `armel` (Debian armel). It fits the major version of Node.js
// that makes it, whose headers the last two need too.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { licensesOf } from './licenses.mjs';

const ADDON = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';
// Debian's compiler for hard float makes code for ARMv7 unless it is told, and so do the few objects that it would link
// in by itself; what they do is in the shared libraries too.
const cross = {
  armel: { triplet: 'arm-linux-gnueabi', code: '-march=armv6 -marm', link: '' },
  armv6: {
    triplet: 'arm-linux-gnueabihf',
    code: '-march=armv6 -mfpu=vfp -mfloat-abi=hard -marm',
    link: '-nostartfiles -nodefaultlibs -Wl,--no-as-needed -lstdc++ -lm -lgcc_s -lc',
  },
};

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const target = process.argv[2] ?? 'native';
if (target !== 'native' && !cross[target]) fail(`no such target: ${target}; there are native, armv6, armel`);

const { version, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const node = `node${process.versions.node.split('.')[0]}`;
const system = target === 'native' ? `${process.platform}-${process.arch}` : `linux-${target}`;
const file = join(root, 'dist', `tsbackup-${version}-${node}-${system}.tar.gz`);

const work = mkdtempSync(join(tmpdir(), 'tsbackup-package-'));
try {
  const stage = join(work, 'tsbackup');
  const [{ filename }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work]),
  );
  run('tar', ['-xzf', join(work, filename), '-C', work]);
  run('mv', [join(work, 'package'), stage]);
  rmSync(join(stage, 'dist/src'), { recursive: true }); // dist/bin holds it
  const program = readFileSync('dist/bin/tsbackup.cjs', 'utf8');
  for (const name of Object.keys(dependencies)) {
    const folder = join(stage, 'node_modules', name);
    if (program.includes(`require("${name}")`)) await bundleDependency(name, folder); // the rest is in dist/bin
  }
  mkdirSync(join(stage, dirname(ADDON)), { recursive: true });
  cpSync(target === 'native' ? ADDON : compiled(cross[target]), join(stage, ADDON));
  // What V8 compiled here fits no other processor; the first run there that may leaves its own.
  for (const name of target === 'native' ? [] : readdirSync(join(stage, 'dist/bin'))) {
    if (name.includes('.cjs.')) rmSync(join(stage, 'dist/bin', name));
  }
  mkdirSync(join(stage, 'bin'));
  symlinkSync('../dist/bin/cli.js', join(stage, 'bin', 'tsbackup'));
  run('tar', [
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '-C',
    work,
    '-czf',
    file,
    'tsbackup',
  ]);
  console.log(file);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Makes one file of a package that the program loads when it wants it, with all that belongs to it. */
async function bundleDependency(name, folder) {
  const { metafile } = await build({
    stdin: { contents: `module.exports = require('${name}')`, resolveDir: root },
    outfile: join(folder, 'index.js'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'inline',
    metafile: true,
  });
  const { version } = JSON.parse(readFileSync(join('node_modules', name, 'package.json'), 'utf8'));
  const manifest = { name, version, main: 'index.js' };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest)}\n`);
  writeFileSync(join(folder, 'LICENSES'), licensesOf(Object.keys(metafile.inputs)));
}

/** The addon for another processor, made of the sources that npm has installed here. @returns its path */
function compiled({ triplet, code, link }) {
  const tools = { CC: `${triplet}-gcc`, CXX: `${triplet}-g++`, AR: `${triplet}-ar` };
  if (spawnSync(tools.CXX, ['--version']).error)
    fail(`${tools.CXX} is missing: apt-get install g++-${triplet}`);
  const folder = join(work, 'better-sqlite3');
  cpSync('node_modules/better-sqlite3', folder, { recursive: true });
  rmSync(join(folder, 'build'), { recursive: true, force: true });
  const env = {
    ...process.env,
    ...tools,
    LINK: tools.CXX,
    CFLAGS: code,
    CXXFLAGS: code,
    LDFLAGS: `${code} ${link}`,
  };
  const prefix = join(process.execPath, '../..');
  const headers = existsSync(join(prefix, 'include/node/node.h')) ? [`--nodedir=${prefix}`] : []; // else fetched
  run(process.execPath, [nodeGyp(), 'rebuild', '--release', '--arch=arm', ...headers], {
    cwd: folder,
    env,
  });
  const made = join(folder, 'build/Release/better_sqlite3.node');
  const attributes = run(`${triplet}-readelf`, ['-A', made]);
  if (!/Tag_CPU_arch: v6/.test(attributes)) fail(`the addon is not for ARMv6:\n${attributes}`);
  return made;
}

/** npm brings it along. */
function nodeGyp() {
  const npm = run('npm', ['root', '--global']).trim();
  const path = [join(npm, 'npm/node_modules/node-gyp/bin/node-gyp.js')].find(existsSync);
  return path ?? fail(`node-gyp is not where npm has it, in ${npm}`);
}

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...options,
  });
  if (error || status !== 0) {
    fail(`${command} ${args.slice(0, 2).join(' ')} failed: ${error?.message ?? stderr.slice(-2000)}`);
  }
  return stdout;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
