// npm run build: WebAssembly kernel, then TypeScript → dist/.
import { execFileSync } from 'node:child_process';

execFileSync(process.execPath, ['scripts/build-wasm.mjs'], { stdio: 'inherit' });
execFileSync('npx', ['--no-install', 'tsc'], { stdio: 'inherit' });
