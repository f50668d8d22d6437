/** The state of profiles as a text file for Prometheus's node_exporter (textfile collector; the text-based format 0.0.4). */

import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { BackupError, messageOf } from '../errors.ts';
import { removeFailed } from '../files/whole-file.ts';
import type { ProfileState } from './state.ts';

const metrics: readonly [name: string, help: string, value: (state: ProfileState) => number | undefined][] = [
  ['last_run_timestamp_seconds', 'End of the last run', ({ runs }) => runs.at(-1)?.ended],
  ['last_run_status', 'Exit status of the last run', ({ runs }) => runs.at(-1)?.status],
  [
    'last_run_duration_seconds',
    'How long it took',
    ({ runs }) => {
      const last = runs.at(-1);
      return last && Math.max(0, last.ended - last.started); // a clock may go back
    },
  ],
  [
    'last_success_timestamp_seconds',
    'End of the last run that stored everything',
    state => state.lastSuccess,
  ],
  ['last_set_timestamp_seconds', 'Time of the newest backup set', state => state.archive?.lastSet],
  ['last_full_timestamp_seconds', 'Time of the newest full set', state => state.archive?.lastFull],
  ['archive_bytes', 'Size of the archive', state => state.archive?.bytes],
  ['archive_sets', 'Backup sets in the archive', state => state.archive?.sets],
  ['chain_sets', 'Backup sets of the newest chain', state => state.archive?.chainLength],
  ['last_check_timestamp_seconds', 'End of the last check', state => state.lastCheck?.time],
  [
    'last_check_faults',
    'Whether the last check found faults',
    state => state.lastCheck && Number(state.lastCheck.faults),
  ],
];

/** Of profiles by their names, which have nothing to escape (see places.ts); a metric's lines stand together. */
export function formatMetrics(states: Iterable<readonly [profile: string, state: ProfileState]>): string {
  const all = [...states];
  return metrics
    .flatMap(([name, help, read]) => {
      const full = `tsbackup_${name}`;
      const samples = all.flatMap(([profile, state]) => {
        const value = read(state);
        return value === undefined ? [] : [`${full}{profile="${profile}"} ${value}`];
      });
      return samples.length === 0 ? [] : [`# HELP ${full} ${help}.`, `# TYPE ${full} gauge`, ...samples];
    })
    .map(line => `${line}\n`)
    .join('');
}

/**
 * Whole or not at all, as the collector demands; readable by it.
 * @throws BackupError `local-io`
 */
export function writeMetrics(path: string, text: string): void {
  const temporary = `${path}.${process.pid}`; // does not end like what is collected
  try {
    writeFileSync(temporary, text);
    chmodSync(temporary, 0o644);
    renameSync(temporary, path);
  } catch (error) {
    removeFailed(temporary);
    throw new BackupError('local-io', `can't write metrics to ${path}: ${messageOf(error)}`);
  }
}
