/**
 * How soon V8 optimizes code, for the whole process. In runs that are short and have all processors busy it takes one
 * that is needed, and 10 MB. Compiled code fits the flags of its time only (see cli/compiled-script.ts). Versions of V8
 * after Node.js 20's do not know the flag.
 */

import { setFlagsFromString } from 'node:v8';

const USUAL = 67_584; // V8's own
const LATER = 400_000;

export function optimizeLess(): void {
  setBudget(LATER);
}

export function optimizeAsUsual(): void {
  setBudget(USUAL);
}

function setBudget(budget: number): void {
  if (process.versions.v8.startsWith('11.3.')) setFlagsFromString(`--interrupt-budget=${budget}`);
}
