/** `run NAME`: the parts of a profile's job as invocations of their own, so that each means what it does alone. */

import type { Host } from '../commands/host.ts';
import { type RunRequest, runProfile, type Step } from '../commands/run.ts';
import { createNotifier } from '../notices/notify.ts';
import { provideCredentials } from '../profiles/credentials.ts';
import { noticeSettings } from '../profiles/notice-settings.ts';
import { stateFolder } from '../profiles/places.ts';
import type { Profile } from '../profiles/profile.ts';
import { stampOf } from '../text.ts';
import type { Action } from './actions.ts';
import { archiveRequest } from './common-values.ts';
import { logLine } from './log-file.ts';
import { type Invocation, parseStep } from './parse.ts';
import { teeReporter } from './reporters.ts';

/** What a mail may show of it. */
const LOG_LINES = 2000;

/** Options of the prune of a run, as they would be typed. */
export function pruneWords({ prune }: Pick<Profile, 'prune'>): string[] {
  return ['--force', ...[...(prune ?? [])].map(([key, value]) => `--${key}=${value}`)];
}

/**
 * @param dispatch does a part as if it had been called alone
 * @returns the exit status
 */
export async function runNamed(
  { typed, values, profile: named }: Invocation,
  ordinary: Host,
  dispatch: (invocation: Invocation, host: Host) => Promise<number>,
): Promise<number> {
  const profile = named!;
  const log: string[] = [];
  const keep = (text: string) => {
    if (log.push(`${stampOf(ordinary.now())} ${text}`) > LOG_LINES) log.splice(1, 1);
  };
  const host: Host = {
    ...ordinary,
    reporter: teeReporter(ordinary.reporter, {
      report: event => event.level !== 'debug' && keep(logLine(event)),
      progress() {},
    }),
  };
  const part = (action: Action, places: readonly string[], own: readonly string[] = []): Invocation =>
    parseStep(action, places, [...own, ...typed], profile, process.env);
  // What is wrong with a profile or its secrets is found out in a step, so that it is told as all else is.
  const step =
    (...words: Parameters<typeof part>): Step =>
    async stepHost => {
      await provideCredentials(profile, process.env, stepHost.signal);
      return dispatch(part(...words), stepHost);
    };
  const { source, target, prune, check, fullEvery } = profile;
  const fulls = fullEvery === undefined ? [] : [`--full-if-older-than=${fullEvery}`];
  const backup = step('backup', [source, target], fulls);
  const rest = step('backup', [source, target], [...fulls, '--skip-if-no-change']);
  const full = step('full', [source, target]);
  if (values['dry-run'] === true) return backup(host);
  const request: RunRequest = {
    profile: profile.name,
    stateFolder: stateFolder(profile.name, process.env),
    ...{ backup, rest, full },
    check: check === undefined ? undefined : step('check', [target], [`--sample=${check}`]),
    prune: prune && step('prune', [target], pruneWords(profile)),
    async facts(stepHost) {
      const { archiveFacts } = await import('../commands/archive-facts.ts');
      const archive = await archiveRequest(part('collection-status', [target]).values);
      return archiveFacts({ ...archive, url: target }, stepHost);
    },
    nice: profile.nice,
    metricsFile: (values['metrics-file'] as string | undefined) ?? profile.metricsFile,
    notifier: createNotifier(noticeSettings(profile, process.env), {
      folder: stateFolder(profile.name, process.env),
      now: host.now,
      signal: host.interrupted,
    }),
    logLines: () => log,
  };
  return runProfile(request, host);
}
