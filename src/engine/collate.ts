/**
 * The sorted walk of a source beside the sorted state of the chain: one pass tells what is new, changed and gone.
 * What could not be examined is not gone: its previous version, with all below it, stays as it is.
 */

import { comparePaths, isWithin } from '../bytes.ts';
import type { CatalogEntry } from '../catalog/versions.ts';
import type { SourceEntry, WalkItem } from '../files/walk.ts';
import { compareState, type StateComparison } from './compare-state.ts';
import type { PlanItem } from './plan-item.ts';

/**
 * @param walked in walk order, in batches
 * @param state the chain's tree in walk order; empty for a full set
 */
export function* collate(
  walked: Iterable<readonly WalkItem[]>,
  state: Iterator<CatalogEntry, void>,
  comparison: StateComparison,
): Generator<PlanItem[], void, undefined> {
  let known = state.next().value ?? undefined;
  let kept: string | undefined; // nothing at or below it is known to be gone
  const advance = () => {
    known = state.next().value ?? undefined;
  };

  /** What the chain has before `path`, or at its end, is gone. */
  function* gone(path: string | undefined): Generator<PlanItem, void, undefined> {
    while (known && (path === undefined || comparePaths(known.path, path) < 0)) {
      if (kept === undefined || !isWithin(known.path, kept)) {
        yield { kind: 'deleted', path: known.path, wasFile: known.type === 'file' };
      }
      advance();
    }
  }

  let plan: PlanItem[] = [];
  /** Adds to the plan, and hands it on when it has grown: a deleted tree may have a million paths. */
  function* add(items: Iterable<PlanItem>): Generator<PlanItem[], void, undefined> {
    for (const item of items) {
      plan.push(item);
      if (plan.length < BATCH) continue;
      yield plan;
      plan = [];
    }
  }

  for (const items of walked) {
    for (const item of items) {
      if (item.skipped !== undefined) continue;
      if (item.problem?.vanished) {
        // The folders that it was in may come after it, and are not gone.
        plan.push({ kind: 'problem', problem: item.problem, isKnown: false });
        continue;
      }
      const path = item.entry ? item.entry.path : item.problem.path;
      if (known && known.path !== path && comparePaths(known.path, path) < 0) yield* add(gone(path));
      if (item.problem) {
        kept = path;
        plan.push({ kind: 'problem', problem: item.problem, isKnown: known?.path === path });
      } else if (known?.path === path) {
        plan.push(planKnown(item.entry, known, comparison));
        advance();
      } else plan.push({ kind: 'new', entry: item.entry });
    }
    yield plan;
    plan = [];
  }
  yield* add(gone(undefined));
  yield plan;
}

const BATCH = 512;

function planKnown(entry: SourceEntry, known: CatalogEntry, comparison: StateComparison): PlanItem {
  const verdict = compareState(entry, known, comparison);
  if (verdict === 'same') return { kind: 'unchanged', entry, known };
  if (verdict === 'replaced' || entry.type !== 'file' || !known.signature) return { kind: 'replaced', entry };
  return { kind: 'changed', entry, signature: known.signature, mustStore: verdict === 'changed' };
}
