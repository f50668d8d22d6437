/**
 * A run of a profile that can't be read: nothing is backed up, and nobody sits there. State, metrics and log tell it as
 * they tell every run, and whoever can still be made out in the profile gets their notice.
 */

import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf, statusOf } from '../errors.ts';
import { createNotifier } from '../notices/notify.ts';
import { formatMetrics, writeMetrics } from '../profiles/metrics.ts';
import { noticeSettings } from '../profiles/notice-settings.ts';
import { stateFolder } from '../profiles/places.ts';
import type { ProfileError } from '../profiles/profile.ts';
import { type RunRecord, readState, withRun, writeState } from '../profiles/state.ts';
import { openLogs } from './logs.ts';

const NOTICE = 3;

/** What can't be told is a warning; the error itself is left to whoever called. */
export async function tellOfBrokenProfile(error: ProfileError): Promise<void> {
  const { profile, notices } = error;
  const folder = stateFolder(profile, process.env);
  const now = () => Date.now() / 1000;
  const warn = (message: string) => void process.stderr.write(`Warning: ${message}\n`);
  const status = statusOf(error);
  const summary = `No backup was made: the profile can't be used: ${error.message}`;
  const record: RunRecord = { started: now(), ended: now(), verdict: 'error', status, summary };
  const before = readState(folder);
  const after = withRun(before, record, { complete: false, archive: undefined, check: undefined });
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (failure) {
      warn(messageOf(failure));
    }
  };
  attempt(() => writeState(folder, { ...after, running: before.running, unended: before.unended })); // one that began with a sound profile
  attempt(() => {
    if (notices.metricsFile !== undefined)
      writeMetrics(notices.metricsFile, formatMetrics([[profile, after]]));
  });
  attempt(() => {
    const place = { values: {}, otherwise: join(folder, 'log'), isDuplicity: false, verbosity: NOTICE };
    const logs = openLogs({ ...place, title: `run ${profile}`, now, warn });
    logs?.failed(error.message, status);
    logs?.ended(status);
  });
  const { signal } = new AbortController();
  const notifier = createNotifier(noticeSettings(notices, process.env), { folder, now, signal });
  const failures = await notifier.end({
    ...{ profile, hostname: hostname(), started: record.started, ended: record.ended },
    ...{ verdict: 'error', status, isNews: before.runs.at(-1)?.verdict !== 'error' },
    ...{ summary: [summary], statistics: '', log: [] },
  });
  failures.forEach(warn);
}
