/** What a profile says of notices, as the room of notices wants it. */

import type { MailSettings, NoticeSettings, Secret, SmtpSettings, When } from '../notices/settings.ts';
import type { ProfileTable } from './parse.ts';
import type { Environment } from './places.ts';
import type { ProfileNotices } from './profile.ts';
import { readSecretText, type SecretSource } from './secrets.ts';

export function noticeSettings(profile: ProfileNotices, environment: Environment): NoticeSettings {
  const secret = (table: ProfileTable, key: string) => {
    const source = table[key] as SecretSource | undefined;
    return source && (() => readSecretText(source, environment));
  };
  const { mail, smtp, pings, webhooks, ntfy } = profile;
  return {
    mail: mail && mailSettings(mail, smtp, smtp && secret(smtp, 'password')),
    pings: pings.map(table => ({ url: secret(table, 'url')! })),
    webhooks: webhooks.map(table => ({
      url: secret(table, 'url')!,
      authorization: secret(table, 'authorization'),
    })),
    ntfy: ntfy && { url: secret(ntfy, 'url')!, token: secret(ntfy, 'token'), on: whenOf(ntfy, 'error') },
  };
}

/** Where Debian has it, whichever program it belongs to. */
export const SENDMAIL = '/usr/sbin/sendmail';

const ports = { starttls: 587, tls: 465, none: 25 } as const;

function mailSettings(
  mail: ProfileTable,
  smtp: ProfileTable | undefined,
  password: Secret | undefined,
): MailSettings {
  const to = mail.to as readonly string[];
  return {
    to,
    from: (mail.from as string | undefined) ?? to[0]!,
    on: whenOf(mail, 'always'),
    transport:
      mail.transport === 'sendmail' || !smtp
        ? { sendmail: (mail.sendmail as string | undefined) ?? SENDMAIL }
        : smtpSettings(smtp, password),
  };
}

function smtpSettings(smtp: ProfileTable, password: Secret | undefined): SmtpSettings {
  const security = (smtp.security as SmtpSettings['security'] | undefined) ?? 'starttls';
  return {
    ...{ host: smtp.host as string, port: (smtp.port as number | undefined) ?? ports[security], security },
    ...{ user: smtp.user as string | undefined, password, caFile: smtp['ca-file'] as string | undefined },
  };
}

function whenOf({ on }: ProfileTable, otherwise: When): readonly When[] {
  return (on as readonly When[] | undefined) ?? [otherwise];
}
