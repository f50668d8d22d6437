// npm run build: the WebAssembly kernel, then TypeScript → dist/ (what the tests run), then one bundle → dist/bin
// (what people run: a handful of files loads faster than a hundred).
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) console.error(error.message);
  if (status !== 0) process.exit(status ?? 1);
}

run(process.execPath, 'scripts/build-wasm.mjs');
run(process.execPath, 'node_modules/typescript/bin/tsc');
rmSync('dist/bin', { recursive: true, force: true });
// What every run loads is in the bundle; the rest stays where it is.
const dependencies = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).dependencies);
await build({
  entryPoints: ['src/cli.ts', 'src/engine/pack-worker.ts', 'src/engine/hash-worker.ts'],
  entryNames: '[name]',
  outdir: 'dist/bin',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: dependencies.filter(name => name !== 'commander').flatMap(name => [name, `${name}/*`]),
  // Commander is CommonJS.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'warning',
});
chmodSync('dist/bin/cli.js', 0o755);

// The manual page, from the table of options.
const { manPage } = await import('../dist/src/cli/man-page.js');
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const released =
  /^## .*?(\d{4}-\d{2}-\d{2})/m.exec(readFileSync('CHANGELOG.md', 'utf8'))?.[1] ?? '2026-11-23';
mkdirSync('dist/man', { recursive: true });
writeFileSync('dist/man/tsbackup.1', manPage(version, released));
