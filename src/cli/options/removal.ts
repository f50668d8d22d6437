import type { OptionSpec } from '../option-spec.ts';

/** What is kept when sets are removed. */
export const removalOptions: readonly OptionSpec[] = [
  ...(
    [
      ['last', 'N', 'keep the last N sets'],
      ['daily', 'N', 'keep the last set of each of the last N days that have one'],
      ['weekly', 'N', 'keep the last set of each of the last N weeks that have one'],
      ['monthly', 'N', 'keep the last set of each of the last N months that have one'],
      ['yearly', 'N', 'keep the last set of each of the last N years that have one'],
      ['full-min', 'N', 'chains that stay in any case (1)'],
    ] as const
  ).map(
    ([name, value, help]): OptionSpec => ({
      ...{ long: `keep-${name}`, kind: 'count', value, help },
      actions: ['prune'],
    }),
  ),
  {
    long: 'keep-within',
    kind: 'text',
    value: 'INTERVAL',
    help: 'keep sets that are less than INTERVAL older than the newest (after a gap longer than INTERVAL: than the one before), for example 3M',
    actions: ['prune'],
  },
];
