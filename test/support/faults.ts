/**
 * How much of a sweep is done: TSBACKUP_FAULTS is `all`, or `2/10` for the second tenth (for several machines, or an
 * hour here and there); without it a sample is.
 */

const setting = process.env.TSBACKUP_FAULTS;

/** Whether more than a sample was asked for. */
export const isThorough = setting !== undefined;

/** @param stride of a sample */
export function chosenOf<T>(cases: readonly T[], stride: number): T[] {
  const [, part, parts] = /^(\d+)\/(\d+)$/.exec(setting ?? '') ?? [];
  if (part !== undefined) return cases.filter((_, index) => index % Number(parts) === Number(part) - 1);
  return setting === 'all' ? [...cases] : cases.filter((_, index) => index % stride === 0);
}
