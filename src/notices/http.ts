/** Notices over HTTP: signs of life (as healthchecks.io wants them), webhooks, and ntfy. */

import { mailOf } from './mail-text.ts';
import { post } from './post.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { NtfySettings, PingSettings, WebhookSettings } from './settings.ts';

/** What healthchecks.io keeps of a body. */
const MAX_BODY = 100_000;

/** @throws BackupError `notice-failed` */
export async function pingStart({ url }: PingSettings, signal: AbortSignal): Promise<void> {
  await post(below(await url(), 'start'), '', {}, signal);
}

/** The plain URL means success; `/fail` that it failed. A partial backup counts as success, with its text. */
export async function pingEnd(
  { url }: PingSettings,
  outcome: RunOutcome,
  signal: AbortSignal,
): Promise<void> {
  const { subject, body } = mailOf(outcome);
  const plain = await url();
  const target = outcome.verdict === 'error' ? below(plain, 'fail') : plain;
  await post(target, clipped(`${subject}\n\n${body}`), TEXT, signal);
}

/** The outcome as JSON: { subject, profile, hostname, started, ended, verdict, status, summary, statistics, log }. */
export async function callWebhook(
  { url, authorization }: WebhookSettings,
  outcome: RunOutcome,
  signal: AbortSignal,
): Promise<void> {
  const { subject } = mailOf(outcome);
  const body = JSON.stringify({ subject, ...outcome, log: outcome.log.slice(-500) });
  const headers = { 'content-type': 'application/json' };
  const secret = authorization && { authorization: await authorization() };
  await post(await url(), body, { ...headers, ...secret }, signal);
}

const priorities = { ok: '2', warn: '4', error: '5' } as const;
const tags = { ok: 'white_check_mark', warn: 'warning', error: 'rotating_light' } as const;

/** @see https://docs.ntfy.sh/publish/ */
export async function publish(
  { url, token }: NtfySettings,
  outcome: RunOutcome,
  signal: AbortSignal,
): Promise<void> {
  const { subject } = mailOf(outcome);
  const headers = {
    ...TEXT,
    ...{ title: subject, priority: priorities[outcome.verdict], tags: tags[outcome.verdict] },
    ...(token && { authorization: `Bearer ${await token()}` }),
  };
  await post(await url(), clipped(outcome.summary.join('\n'), 4000), headers, signal);
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8' };

function clipped(text: string, most = MAX_BODY): string {
  return Buffer.byteLength(text) <= most ? text : Buffer.from(text).subarray(0, most).toString('utf8');
}

function below(url: string, word: string): string {
  try {
    const whole = new URL(url);
    whole.pathname = `${whole.pathname.replace(/\/$/, '')}/${word}`;
    return whole.href;
  } catch {
    return url; // `post` says what is wrong with it
  }
}
