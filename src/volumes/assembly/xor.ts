// The loop of src/volumes/xor.ts in WebAssembly, 64 bytes at a time.

/** XORs the bytes from `other` on into those from `target` to `end`, and up to 63 more. */
export function xor(target: usize, other: usize, end: usize): void {
  for (; target < end; target += 64, other += 64) {
    v128.store(target, v128.xor(v128.load(target), v128.load(other)));
    v128.store(target, v128.xor(v128.load(target, 16), v128.load(other, 16)), 16);
    v128.store(target, v128.xor(v128.load(target, 32), v128.load(other, 32)), 32);
    v128.store(target, v128.xor(v128.load(target, 48), v128.load(other, 48)), 48);
  }
}
