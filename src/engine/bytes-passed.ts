import { sizeOfFingerprint } from '../catalog/fingerprint.ts';
import type { PackBatch } from './batch.ts';
import { PART_SIZE } from './batch-builder.ts';

/** Bytes of the source up to the end of a batch. Its counts have a file as a whole from its beginning on. */
export function bytesPassed({ counts, open, last }: PackBatch): number {
  if (open?.member !== 'snapshot' || last?.block === undefined) return counts.sourceFileSize; // a delta does not tell
  const left = sizeOfFingerprint(open.fingerprint) - last.block * PART_SIZE;
  return counts.sourceFileSize - Math.max(0, left);
}
