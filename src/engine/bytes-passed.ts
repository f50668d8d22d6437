import type { PackBatch } from './batch.ts';

/** Bytes of the source up to the end of a batch. Its counts have a file as a whole from its beginning on. */
export function bytesPassed({ counts, left }: PackBatch): number {
  return counts.sourceFileSize - left;
}
