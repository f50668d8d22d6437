// Compiles what lies in folders named assembly with AssemblyScript, and writes the bytes as TypeScript modules, so that
// one bundle holds all and no file has to be found at run time.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SIMD = ['--enable', 'simd'];

async function compile(entry, ...features) {
  const dir = mkdtempSync(join(tmpdir(), 'tsbackup-wasm-'));
  try {
    return await compileInto(join(dir, 'compiled.wasm'), entry, features);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function compileInto(out, entry, features) {
  const { main } = await import('assemblyscript/asc');
  const { error, stderr } = await main(
    [
      entry,
      '--outFile',
      out,
      '-O3',
      '--noAssert',
      '--runtime',
      'stub',
      '--importMemory',
      '--noExportMemory',
      '--initialMemory',
      '1',
      ...features,
    ],
    {
      readFile: (name, base) => {
        try {
          return readFileSync(join(base, name), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile: (name, data, base) => writeFileSync(name.startsWith('/') ? name : join(base, name), data),
    },
  );
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  return readFileSync(out).toString('base64');
}

function write(path, sources, constants) {
  const lines = Object.entries(constants).map(([name, base64]) => `export const ${name} =\n  '${base64}';\n`);
  writeFileSync(path, `// Made by scripts/build-wasm.mjs from ${sources}.\n${lines.join('')}`);
}

const kernel = 'src/rsync/assembly/index.ts';

// An installed package has no sources.
if (existsSync(kernel)) {
  write('src/rsync/kernel-wasm-bytes.ts', 'src/rsync/assembly', {
    kernelWasmBase64: await compile(kernel),
    kernelWasmSimdBase64: await compile(kernel, ...SIMD),
  });
  write('src/volumes/xor-wasm-bytes.ts', 'src/volumes/assembly', {
    xorWasmBase64: await compile('src/volumes/assembly/xor.ts', ...SIMD),
  });
}
