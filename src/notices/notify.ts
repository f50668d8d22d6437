/** Tells everybody who wants to know how a run ended. A notice that fails hides nothing and hinders no other. */

import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { callWebhook, pingEnd, pingStart, publish } from './http.ts';
import { type Letter, sendMail } from './mail.ts';
import { isWanted, mailOf } from './mail-text.ts';
import { openOutbox } from './outbox.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { MailSettings, NoticeSettings } from './settings.ts';

export interface Notifier {
  /** Says that a run begins. All three give a sentence for each notice that failed, and never fail themselves. */
  begin(): Promise<string[]>;
  end(outcome: RunOutcome): Promise<string[]>;
  /** The same without the network, in a hurry: the mail waits for the next run. */
  postpone(outcome: RunOutcome): Promise<string[]>;
}

export interface NotifierPlace {
  /** Of the profile's state; the outbox is in it. */
  readonly folder: string;
  /** Seconds since 1970. */
  now(): number;
  readonly signal: AbortSignal;
}

export function createNotifier(settings: NoticeSettings, { folder, now, signal }: NotifierPlace): Notifier {
  const outbox = openOutbox(join(folder, 'outbox'));

  const letterOf = ({ from, to }: MailSettings, outcome: RunOutcome): Letter => ({
    ...mailOf(outcome),
    from,
    to,
  });

  /** What waited goes first; as long as one can't be sent, the others would not be either. */
  async function mail(own: MailSettings, letter: Letter | undefined): Promise<void> {
    try {
      for (const { letter: old, sent } of outbox.waiting()) {
        await sendMail(old, own.transport, signal);
        sent();
      }
      if (letter) await sendMail(letter, own.transport, signal);
    } catch (error) {
      if (letter) outbox.keep(letter, now());
      throw new Error(`${messageOf(error)}; it is kept for the next run`, { cause: error });
    }
  }

  return {
    begin: () => failuresOf(settings.pings.map(ping => pingStart(ping, signal))),
    end(outcome) {
      const { mail: own, pings, webhooks, ntfy } = settings;
      const letter = own && isWanted(own.on, outcome) ? letterOf(own, outcome) : undefined;
      return failuresOf([
        ...(own ? [mail(own, letter)] : []),
        ...pings.map(ping => pingEnd(ping, outcome, signal)),
        ...webhooks.map(webhook => callWebhook(webhook, outcome, signal)),
        ...(ntfy && isWanted(ntfy.on, outcome) ? [publish(ntfy, outcome, signal)] : []),
      ]);
    },
    postpone(outcome) {
      const { mail: own } = settings;
      const keep = async () => {
        if (own && isWanted(own.on, outcome)) outbox.keep(letterOf(own, outcome), now());
      };
      return failuresOf([keep()]);
    },
  };
}

async function failuresOf(work: readonly Promise<void>[]): Promise<string[]> {
  const results = await Promise.allSettled(work);
  return results.flatMap(result => (result.status === 'rejected' ? [messageOf(result.reason)] : []));
}
