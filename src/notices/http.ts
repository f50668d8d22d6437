/** Notices over HTTP: signs of life (as healthchecks.io wants them), webhooks, and ntfy. */

import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError, messageOf } from '../errors.ts';
import { takeLogin } from '../text.ts';
import { mailOf } from './mail-text.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { NtfySettings, PingSettings, WebhookSettings } from './settings.ts';

const TIMEOUT_MS = 15_000;
const ATTEMPTS = 3;
const PAUSE_MS = 1000;
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

/** The address may be a secret itself, so that messages have no more of it than the host. */
async function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new BackupError('notice-failed', 'the URL of a notice is none: it begins with https://');
  }
  const { target, host, login } = parted(url);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  let said = '';
  for (let attempt = 1; attempt <= ATTEMPTS && !limit.aborted; attempt++) {
    try {
      if (attempt > 1) await sleep(PAUSE_MS, undefined, { signal: limit });
      const answer = await fetch(target, {
        ...{ method: 'POST', body, signal: limit },
        headers: { ...login, ...headers },
      });
      await answer.body?.cancel();
      if (answer.ok) return;
      said = `it answered ${answer.status} ${answer.statusText}`.trimEnd();
      if (answer.status < 500 && answer.status !== 429) break;
    } catch (error) {
      const isLate = limit.aborted && !signal.aborted;
      if (isLate && attempt > 1) break; // what was said before is the reason
      said = isLate ? `no answer within ${TIMEOUT_MS / 1000} seconds` : reasonOf(error);
      if (isUnfit(error)) break;
    }
  }
  throw new BackupError('notice-failed', `the notice to ${host} could not be sent: ${said}`);
}

/** A URL without user and password, which fetch does not take there, and the header that gives them. */
function parted(url: string): { target: string; host: string; login: Record<string, string> } {
  const whole = new URL(url);
  const { host } = whole;
  const authorization = takeLogin(whole);
  const target = authorization === undefined ? url : whole.href;
  return { target, host, login: authorization === undefined ? {} : { authorization } };
}

/** Whether fetch does not even try, and says why with what it was given, secrets and all. */
function isUnfit(error: unknown): boolean {
  return error instanceof TypeError && error.cause === undefined;
}

function reasonOf(error: unknown): string {
  if (isUnfit(error)) return 'its URL, or a secret that goes with it, has characters that can not be sent';
  return messageOf((error as { readonly cause?: unknown }).cause ?? error);
}
