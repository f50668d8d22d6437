/** What a restore could not write, told to people: everything that is missing, and of what lacks an attribute some. */

import { displayPath, isWithin } from '../bytes.ts';
import type { WriteProblem } from '../files/write.ts';
import type { Host } from './host.ts';

/** So many things that lack the same for the same reason are named: a file system may have no modes at all. */
const NAMED = 10;

export interface RestoreProblems {
  tell(problem: WriteProblem): void;
  /** How many things are not there. */
  missing(): number;
  /** Tells how many were not named. */
  end(): void;
}

/** @param wanted paths below the target */
export function createRestoreProblems(wanted: readonly string[], { reporter }: Host): RestoreProblems {
  let missing = 0;
  const counts = new Map<string, number>();
  return {
    tell({ path, systemCode, message, restored, attribute }) {
      if (restored && isAbove(path, wanted)) return;
      if (!restored) missing++;
      const lack = attribute ? `its ${attribute}` : 'all of its attributes';
      const what = restored ? `is restored, but not with ${lack}` : 'is not restored';
      const text = `${displayPath(path)} ${what}: ${message}`;
      const kind = attribute && `with their ${attribute} (${systemCode})`;
      const count = kind ? (counts.get(kind) ?? 0) + 1 : 0;
      if (kind) counts.set(kind, count);
      const level = restored ? (count > NAMED ? 'info' : 'warning') : 'error';
      reporter.report({ level, code: 'not-restored', message: text, facts: { path, systemCode } });
    },
    missing: () => missing,
    end() {
      for (const [kind, count] of counts) {
        if (count <= NAMED) continue;
        const message = `${count - NAMED} more are restored, but not ${kind}; -v info names them`;
        reporter.report({ level: 'warning', code: 'not-restored', message });
      }
      counts.clear();
    },
  };
}

/** Whether a folder is only on the way to what is wanted: then nobody asked for its attributes. */
function isAbove(path: string, wanted: readonly string[]): boolean {
  const within = (inner: string, outer: string) => inner !== outer && isWithin(inner, outer);
  return wanted.some(one => within(one, path)) && !wanted.some(one => isWithin(path, one));
}
