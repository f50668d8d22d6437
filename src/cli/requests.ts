/** An invocation → what a command is asked for; what is wrong with its values is told before anything is touched. */

import { pathFromText } from '../bytes.ts';
import type { BackupRequest } from '../commands/backup-setting.ts';
import type { CommonOptions, Host } from '../commands/host.ts';
import { createSelection } from '../files/select.ts';
import type { SelectionRule } from '../files/select-rules.ts';
import type { KeepRules } from '../manifest/prune.ts';
import { parseInterval } from '../manifest/time.ts';
import type { KeyValues } from './key-values.ts';
import type { Invocation } from './parse.ts';
import { ranged } from './ranged.ts';
import { rank } from './reporters.ts';
import { selectionRules } from './selection.ts';

const MIB = 1024 * 1024;

/** @throws BackupError `usage` */
export async function backupRequest(
  invocation: Invocation,
  { common, keys }: { readonly common: CommonOptions; readonly keys: KeyValues },
  host: Pick<Host, 'now' | 'signal'>,
): Promise<BackupRequest> {
  const { action, values } = invocation;
  const [source, url] = invocation.arguments as [string, string];
  return {
    ...common,
    url,
    source: pathFromText(source),
    selection: await selectionFor(invocation, source, host),
    mode: action === 'full' || action === 'incremental' ? action : 'auto',
    fullIfOlderThan: values['full-if-older-than'] as string | undefined,
    fullIfIncrementals: ranged(values, 'full-if-n-inc', 0, 1_000_000),
    allowSourceMismatch: values['allow-source-mismatch'] === true,
    skipIfNoChange: values['skip-if-no-change'] === true,
    encrypt: values['no-encryption'] !== true,
    compress: values['no-compression'] !== true && keys.compress !== false,
    level: ranged(values, 'compression-level', 0, 9) ?? keys.level ?? 'auto',
    volumeSize: (ranged(values, 'volsize', 1, 1_000_000) ?? 200) * MIB,
    dryRun: values['dry-run'] === true,
    sourceErrorsOk: values['source-errors-ok'] === true,
    printStatistics: values['no-print-statistics'] !== true,
    tellEntries: ((values.verbosity as number | undefined) ?? 0) >= rank.info,
    progress: values.progress === true,
    maxDelete: ranged(values, 'max-delete', 0, 100) ?? 50,
    allowMassDelete: values['allow-mass-delete'] === true,
    sourceRetryForMs: (ranged(values, 'source-retry-for', 0, 1_000_000) ?? 300) * 1000,
    maxBlockLength: ranged(values, 'max-blocksize', 512, 1 << 20) ?? 2048,
  };
}

/**
 * The selection of a folder's files.
 * @throws BackupError `usage`
 */
export async function selectionFor(
  invocation: Invocation,
  folder: string,
  { now, signal }: Pick<Host, 'now' | 'signal'>,
): Promise<SelectionRule[]> {
  const rules = await selectionRules(invocation, now(), signal);
  if (rules.length > 0) createSelection(rules, pathFromText(folder)); // which finds a slip in them
  return rules;
}

/** What `prune` keeps. */
export function keepRules(values: Invocation['values']): KeepRules {
  const count = (name: string) => values[`keep-${name}`] as number | undefined;
  const within = values['keep-within'] as string | undefined;
  return {
    ...{ last: count('last'), daily: count('daily'), weekly: count('weekly') },
    ...{ monthly: count('monthly'), yearly: count('yearly'), fullMin: count('full-min') ?? 1 },
    within: within === undefined ? undefined : parseInterval(within),
  };
}
