/** Sends a mail: through a server that speaks SMTP, or through the local sendmail. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import { BackupError, messageOf, systemCode } from '../errors.ts';
import type { Mail } from './mail-text.ts';
import { type Envelope, runSendmail } from './sendmail.ts';
import type { MailSettings, SmtpSettings } from './settings.ts';

/** An address apart from the text, so that it can wait in an outbox. */
export type Letter = Mail & Pick<MailSettings, 'from' | 'to'>;

const TIMEOUT_MS = 30_000;
/** Pauses between attempts. */
const PAUSES_MS = [2000, 10_000];

/**
 * @returns a sentence on addresses that the server refused while it took others
 * @throws BackupError `notice-failed`; the message has no secret
 */
export async function sendMail(
  letter: Letter,
  transport: MailSettings['transport'],
  signal: AbortSignal,
  pausesMs: readonly number[] = PAUSES_MS,
): Promise<string | undefined> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await sendOnce(letter, transport, signal);
    } catch (error) {
      const pause = pausesMs[attempt];
      if (pause === undefined || isPermanent(error) || signal.aborted) throw explained(error, transport);
      await sleep(pause, undefined, { signal });
    }
  }
}

async function sendOnce(
  { subject, body, from, to }: Letter,
  transport: MailSettings['transport'],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { createTransport } = await import('nodemailer');
  const message = {
    ...{ from, to: [...to], subject, text: body },
    headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834: no answer from a holiday's robot
    // What the log holds is never a file to attach or an address to fetch.
    ...{ disableFileAccess: true, disableUrlAccess: true },
  };
  if ('sendmail' in transport) {
    const composer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
    const { envelope, message: text } = await composer.sendMail(message);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS * 2)]);
    await runSendmail(transport.sendmail, envelope as Envelope, text as Buffer, limit);
    return undefined;
  }
  const { host, port } = transport;
  const mailer = createTransport(await smtpOptions(transport));
  const ended = new AbortController();
  const limit = sleep(TIMEOUT_MS * 2, undefined, { signal: AbortSignal.any([ended.signal, signal]) }).then(
    (): never => {
      throw new Error(`no answer within ${(TIMEOUT_MS * 2) / 1000} seconds`);
    },
  );
  try {
    const { rejectedErrors } = await Promise.race([mailer.sendMail(message), limit]);
    const refused = (rejectedErrors ?? []).map(error => `${error.recipient} (${oneLine(error)})`);
    return refused.length === 0
      ? undefined
      : `the mail went out through ${host}:${port}, but not to everybody: ${refused.join('; ')}`;
  } finally {
    ended.abort();
    limit.catch(() => {});
    mailer.close();
  }
}

async function smtpOptions({ host, port, security, user, password, caFile }: SmtpSettings) {
  const pass = password && (await password());
  return {
    ...{ host, port, secure: security === 'tls', requireTLS: security === 'starttls' },
    ...(security === 'none' && { ignoreTLS: true }),
    ...(user !== undefined && { auth: { user, pass: pass ?? '' } }),
    ...(caFile !== undefined && { tls: { ca: [...rootCertificates, readFileSync(caFile, 'utf8')] } }),
    ...{ connectionTimeout: TIMEOUT_MS, greetingTimeout: TIMEOUT_MS, socketTimeout: TIMEOUT_MS },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  };
}

/** What will be the same the next time: a wrong password, a refused address, a missing secret or program. */
function isPermanent(error: unknown): boolean {
  if (error instanceof BackupError || ['EAUTH', 'ENOENT'].includes(systemCode(error) ?? '')) return true;
  const { responseCode } = error as { readonly responseCode?: number };
  return responseCode !== undefined && responseCode >= 500;
}

/** Whether a server has refused what stands in a mail, not who it is from or for: it will do so each time. */
export function isTextRefused(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: string; readonly responseCode?: number } };
  return cause?.code === 'EMESSAGE' && (cause.responseCode ?? 0) >= 500;
}

function oneLine(error: unknown): string {
  return messageOf(error).replace(/\s+/g, ' ').replace(/\.$/, '');
}

function explained(error: unknown, transport: MailSettings['transport']): BackupError {
  if (error instanceof BackupError) return error;
  const place = 'sendmail' in transport ? transport.sendmail : `${transport.host}:${transport.port}`;
  const remedy = {
    EAUTH: '; check user and password (many providers want a password of its own for a program)',
    ETLS: '; check "security" of [mail.smtp]',
    ESOCKET: '; check host, port and "security" of [mail.smtp]',
    EDNS: '; check the name of the host',
    ENOENT: '; is it installed?',
  }[systemCode(error) ?? ''];
  const said = oneLine(error);
  return new BackupError(
    'notice-failed',
    `the mail could not be sent through ${place}: ${said}${remedy ?? ''}`,
    {},
    { cause: error },
  );
}
