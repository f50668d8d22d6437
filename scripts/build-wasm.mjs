// Compiles src/rsync/assembly with AssemblyScript and writes the bytes as a TypeScript module,
// so that one bundle holds all and no file has to be found at run time.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const entry = 'src/rsync/assembly/index.ts';
if (existsSync(entry)) {
  const { main } = await import('assemblyscript/asc');
  const dir = mkdtempSync(join(tmpdir(), 'tsbackup-wasm-'));
  try {
    const out = join(dir, 'kernel.wasm');
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
    const base64 = readFileSync(out).toString('base64');
    writeFileSync(
      'src/rsync/kernel-wasm-bytes.ts',
      `// Made by scripts/build-wasm.mjs from src/rsync/assembly.\nexport const kernelWasmBase64 =\n  '${base64}';\n`,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
