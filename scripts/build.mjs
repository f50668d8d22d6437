// npm run build: the WebAssembly kernel, then TypeScript → dist/ (what the tests run), then one bundle → dist/bin
// (what people run: it loads faster than a hundred files), with files of their own for each thread, the SDK for S3 and proxies, and
// a launcher for the program and for each thread.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { licensesOf } from './licenses.mjs';

function run(command, args, stdio = 'inherit') {
  const { status, error } = spawnSync(command, args, { stdio });
  if (error) console.error(error.message);
  if (status !== 0) process.exit(status ?? 1);
}

run(process.execPath, ['scripts/build-wasm.mjs']);
run(process.execPath, ['node_modules/typescript/bin/tsc']);
rmSync('dist/bin', { recursive: true, force: true });
const external = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).dependencies)
  .filter(name => name !== 'commander' && name !== 'better-sqlite3') // which every run loads, but for the native part
  .flatMap(name => [name, `${name}/*`])
  .concat('bindings');
// Files of different builds do not go together: src/engine/own-build.ts.
const sources = readdirSync('src', { recursive: true, withFileTypes: true }).filter(one => one.isFile());
const paths = sources.map(({ parentPath, name }) => join(parentPath, name)).sort();
const hash = createHash('sha256');
for (const path of [...paths, 'package-lock.json', 'scripts/build.mjs']) hash.update(readFileSync(path));
const own = hash.digest('hex').slice(0, 16);
const common = {
  bundle: true,
  metafile: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  define: { BUILD: JSON.stringify(own) },
  supported: { 'dynamic-import': false }, // `require` is sooner done, and all are there for it
};
const loaded = {
  ...common,
  charset: 'ascii',
  minifyWhitespace: true, // its text stays in memory
  define: { ...common.define, 'import.meta.url': 'bundleUrl' },
  banner: {
    js: "(function (module, require, __filename) {const bundleUrl = require('node:url').pathToFileURL(__filename).href;",
  },
  footer: { js: `})//${own}` },
};
const threads = ['pack-worker', 'read-ahead-worker', 'restore-worker', 'seal-worker'];
const program = await build({
  ...loaded,
  entryPoints: {
    tsbackup: 'src/cli/parts.ts',
    ...Object.fromEntries(threads.map(name => [name, `src/engine/${name}.ts`])),
  },
  outdir: 'dist/bin',
  outExtension: { '.js': '.cjs' },
  external,
  plugins: [
    {
      name: 'beside',
      setup: ({ onResolve }) =>
        onResolve({ filter: /\/(s3-sdk|tunnel)\.ts$/ }, ({ path }) => ({
          path: path.replace(/^.*\/(.*)\.ts$/, './$1.cjs'),
          external: true,
        })),
    },
  ],
});
const forS3 = await build({
  ...loaded,
  entryPoints: { 's3-sdk': 'src/storage/s3-sdk.ts', tunnel: 'src/network/tunnel.ts' },
  outdir: 'dist/bin',
  outExtension: { '.js': '.cjs' },
  mainFields: ['module', 'main'], // of which what nobody asks for is left out
});
await build({
  ...common,
  entryPoints: ['src/cli/launch.ts'],
  footer: { js: `//${own}` },
  outfile: 'dist/bin/cli.js', // one file, parts of which are run when they are wanted
});
writeFileSync('dist/bin/package.json', '{ "type": "commonjs" }\n');
const inputs = [program, forS3].flatMap(({ metafile }) => Object.keys(metafile.inputs));
writeFileSync('dist/bin/LICENSES', licensesOf(inputs));
for (const name of [...threads, 'warm-up']) cpSync('dist/bin/cli.js', `dist/bin/${name}.js`);
run(process.execPath, ['dist/bin/warm-up.js'], ['ignore', 'ignore', 'inherit']); // leaves what V8 has compiled
rmSync('dist/bin/warm-up.js');
chmodSync('dist/bin/cli.js', 0o755);

// The manual page, from the table of options.
const { manPage } = await import('../dist/src/cli/man-page.js');
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const released =
  /^## .*?(\d{4}-\d{2}-\d{2})/m.exec(readFileSync('CHANGELOG.md', 'utf8'))?.[1] ?? '2026-11-23';
mkdirSync('dist/man', { recursive: true });
writeFileSync('dist/man/tsbackup.1', manPage(version, released));
