/**
 * Tells photographs, films and archives from what deflate can still shrink, at about a hundredth of deflate's cost.
 *
 * Many short samples, spread over the chunk so that the headers between small files show up, are judged together:
 * their byte histogram must be nearly flat (Huffman codes gain nothing) and hardly any four bytes may occur twice
 * (matches gain nothing). A wrong answer costs size or time, never content.
 */

const SAMPLES = 64;
const SAMPLE_LENGTH = 256;
const SAMPLED = SAMPLES * SAMPLE_LENGTH;

/** Flat enough: with fewer bits per byte, Huffman codes alone would save more than some 2 %. */
const FLAT_BITS = 7.8;
/** 3 % of all positions, so that a tar header for every 64 KiB of a photograph does not change the answer. */
const MAX_REPEATS = SAMPLED / 32;

const histogram = new Uint32Array(256);
const seen = new Uint32Array(4096);

/**
 * Whether deflate would gain next to nothing.
 * @param chunk lent, only read; chunks below 16 KiB are never called incompressible, as little is at stake
 */
export function isIncompressible(chunk: Uint8Array): boolean {
  if (chunk.length < SAMPLED) return false;
  histogram.fill(0);
  seen.fill(0);
  const stride = (chunk.length - SAMPLE_LENGTH) / (SAMPLES - 1);
  let repeats = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const from = Math.floor(sample * stride);
    let word = 0;
    for (let i = from; i < from + SAMPLE_LENGTH; i++) {
      const byte = chunk[i]!;
      histogram[byte]!++;
      word = (word << 8) | byte;
      const slot = Math.imul(word, 0x9e3779b1) >>> 20; // 12 bits of Fibonacci hashing
      if (seen[slot] === word >>> 0) repeats++;
      seen[slot] = word;
    }
    if (repeats > MAX_REPEATS) return false;
  }
  return bitsPerByte() >= FLAT_BITS;
}

/** Shannon entropy of the histogram. */
function bitsPerByte(): number {
  let sum = 0;
  for (const count of histogram) if (count > 0) sum += count * Math.log2(count);
  return Math.log2(SAMPLED) - sum / SAMPLED;
}
