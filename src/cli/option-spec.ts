/** What an option is, and which actions have it. */

import type { Action, ActionSpec } from './actions.ts';

/** Whether an action has an option. */
export function knows({ action, does = [] }: ActionSpec, { actions: known }: OptionSpec): boolean {
  return !known || known.includes(action) || does.some(part => known.includes(part));
}

/** Whether the help of an action tells of an option. */
export function tellsOf(spec: ActionSpec, option: OptionSpec): boolean {
  return knows(spec, option) && !option.hidden && !option.passedOver?.includes(spec.action);
}

/** Actions to which an option means something; undefined for all. */
export function meantFor({ actions: known, passedOver = [] }: OptionSpec): readonly Action[] | undefined {
  return known?.filter(action => !passedOver.includes(action));
}

/** `pair`: two words follow it; `path`: a place on this machine. */
export type OptionKind = 'flag' | 'pair' | 'text' | 'path' | 'count' | 'time' | 'verbosity';

export interface OptionSpec {
  readonly long: string;
  /** Other long names with the same meaning, of either generation of duplicity. */
  readonly aliases?: readonly string[];
  readonly short?: string;
  readonly kind: OptionKind;
  /** How the value is called in the help. */
  readonly value?: string;
  readonly repeatable?: boolean;
  /** Its place among the others of the kind counts, and it may be repeated. */
  readonly ordered?: boolean;
  readonly help: string;
  /** Not in the help: for tests and for who moves archives. */
  readonly hidden?: boolean;
  /** Actions that take it, as duplicity's do, but only say that it means nothing to them. */
  readonly passedOver?: readonly Action[];
  /** It has to be meant each time: neither a profile nor the environment may set it. */
  readonly typedOnly?: boolean;
  /** Actions that know the option; all if absent. */
  readonly actions?: readonly Action[];
}

/** Options that are told of together. */
export interface OptionGroup {
  readonly title: string;
  readonly options: readonly OptionSpec[];
}

export const backups: readonly Action[] = ['full', 'incremental', 'backup'];
export const continuing: readonly Action[] = ['incremental', 'backup'];
export const removals: readonly Action[] = [
  'remove-older-than',
  'remove-all-but-n-full',
  'remove-all-inc-of-but-n-full',
  'cleanup',
  'prune',
];
export const readers: readonly Action[] = ['restore', 'verify', 'list-current-files'];
export const downloaders: readonly Action[] = [...readers, 'check'];
/** Those with a URL. */
export const placed: readonly Action[] = [
  ...backups,
  ...removals,
  ...downloaders,
  'collection-status',
  'probe',
];
