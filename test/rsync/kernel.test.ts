import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { answersKnownVectors, createKernel, type Kernel } from '../../src/rsync/kernel.ts';
import { createPortableKernel } from '../../src/rsync/kernel-portable.ts';
import { wasmKernels } from '../../src/rsync/kernel-wasm.ts';

test('createKernel takes WebAssembly where the host has it', () => {
  assert.match(createKernel().name, /^wasm/);
});

test('createKernel takes the twin when asked to', () => {
  assert.equal(createKernel({ portable: true }).name, 'portable');
});

test('createKernel takes the twin on a host without WebAssembly, and its signatures are right', () => {
  const signature = fileURLToPath(import.meta.resolve('./signature.test.js'));
  const script = `
    import { createKernel } from ${JSON.stringify(import.meta.resolve('../../src/rsync/kernel.js'))};
    if (createKernel().name !== 'portable') process.exit(9);
    await import(${JSON.stringify(signature)});`;
  const run = spawnSync(process.execPath, ['--jitless', '--input-type=module', '--eval', script], {
    encoding: 'utf8',
    env: { ...process.env, NODE_TEST_CONTEXT: undefined }, // a test run of its own, with an exit status that tells
  });
  assert.equal(run.status, 0, run.stdout);
  assert.match(run.stdout, /Signer \(portable\)/);
});

test('wasmKernels gives the plain kernel on a host that refuses SIMD', t => {
  const scope = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } };
  const host = scope.WebAssembly;
  let refused = 0;
  class Module extends host.Module {
    constructor(bytes: Uint8Array) {
      if (refused++ === 0) throw new Error('no SIMD');
      super(bytes);
    }
  }
  scope.WebAssembly = { ...namesOf(host), Module };
  t.after(() => {
    scope.WebAssembly = host;
  });
  const names = [...wasmKernels()].map(kernel => [kernel.name, answersKnownVectors(kernel)]);
  assert.deepEqual(names, [['wasm', true]]);
});

/** Properties of a built-in namespace, which are not enumerable. */
function namesOf<Namespace extends object>(from: Namespace): Namespace {
  return Object.fromEntries(
    Object.getOwnPropertyNames(from).map(name => [name, Reflect.get(from, name)]),
  ) as Namespace;
}

test('answersKnownVectors tells a kernel that computes wrong', () => {
  const right = createPortableKernel();
  assert.equal(answersKnownVectors(right), true);
  const wrong: Kernel = {
    ...right,
    open(size) {
      const workspace = right.open(size);
      return {
        ...workspace,
        sums(from, to, blockLength, out) {
          workspace.sums(from, to, blockLength, out);
          workspace.bytes[out + 5]! ^= 1;
        },
      };
    },
  };
  assert.equal(answersKnownVectors(wrong), false);
});
