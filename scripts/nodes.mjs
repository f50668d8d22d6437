// npm run test:nodes [-- 22 24 26] [-- part ...]: the tests under other versions of Node.js than the one at hand. Each
// comes from the npm registry; the project is copied to a temporary folder, and better-sqlite3 is compiled there for it.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const args = process.argv.slice(2);
const wanted = args.filter(arg => /^\d/.test(arg));
const parts = args.filter(arg => !/^\d/.test(arg));
const versions = wanted.length > 0 ? wanted : ['22', '24', '26'];
const packageName = `node-${process.platform}-${process.arch}`;

const failed = versions.filter(version => !passes(version));
if (failed.length > 0) console.error(`failed under Node.js ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);

function passes(version) {
  const dir = mkdtempSync(join(tmpdir(), 'tsbackup-nodes-'));
  chmodSync(dir, 0o755); // some tests run the program as another user
  try {
    const node = fetchNode(version, dir);
    const project = join(dir, 'project');
    copyProject(project);
    const env = { ...process.env, PATH: join(node, 'bin') + delimiter + process.env.PATH };
    const run = (command, words, more = {}) =>
      spawnSync(command, words, {
        cwd: project,
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...env, ...more },
      }).status === 0;
    console.log(`\n== Node.js ${execFileSync(join(node, 'bin/node'), ['--version'], { encoding: 'utf8' })}`);
    const fromSource = { npm_config_build_from_source: 'true', npm_config_nodedir: node };
    return (
      run('npm', ['rebuild', 'better-sqlite3'], fromSource) &&
      run('node', ['scripts/build.mjs']) &&
      run('node', ['scripts/test.mjs', ...parts])
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @returns its folder, with bin and include */
function fetchNode(version, dir) {
  const prefix = join(dir, 'node');
  mkdirSync(prefix);
  writeFileSync(join(prefix, 'package.json'), '{}');
  const words = ['install', '--no-audit', '--no-fund', '--no-save', `${packageName}@${version}`];
  execFileSync('npm', words, { cwd: prefix, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(prefix, 'node_modules', packageName);
}

/** What git knows or would, and what is installed. */
function copyProject(to) {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  for (const file of listed.toString().split('\0').filter(Boolean)) cpSync(file, join(to, file));
  cpSync('node_modules', join(to, 'node_modules'), { recursive: true, verbatimSymlinks: true });
}
