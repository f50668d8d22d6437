import { BackupError } from '../errors.ts';
import type { OptionValue } from './parse.ts';

/** A count's value, both ends allowed. @throws BackupError `usage` for one out of its range */
export function ranged(
  values: Readonly<Record<string, OptionValue>>,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const value = values[name] as number | undefined;
  if (value !== undefined && (value < least || value > most)) {
    throw new BackupError('usage', `--${name} takes ${least} to ${most}, not ${value}`);
  }
  return value;
}
