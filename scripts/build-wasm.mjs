// Compiles src/rsync/assembly with AssemblyScript, with and without SIMD, and writes the bytes as a TypeScript module,
// so that one bundle holds all and no file has to be found at run time.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const entry = 'src/rsync/assembly/index.ts';

async function compile(out, ...features) {
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

if (existsSync(entry)) {
  const dir = mkdtempSync(join(tmpdir(), 'tsbackup-wasm-'));
  try {
    const plain = await compile(join(dir, 'kernel.wasm'));
    const simd = await compile(join(dir, 'kernel-simd.wasm'), '--enable', 'simd');
    writeFileSync(
      'src/rsync/kernel-wasm-bytes.ts',
      `// Made by scripts/build-wasm.mjs from src/rsync/assembly.
export const kernelWasmBase64 =
  '${plain}';
export const kernelWasmSimdBase64 =
  '${simd}';
`,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
