/** Tells everybody who wants to know how a run ended. A notice that fails hides nothing and hinders no other. */

import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { asctime } from '../manifest/time.ts';
import { callWebhook, pingEnd, pingStart, publish } from './http.ts';
import { isTextRefused, type Letter, sendMail } from './mail.ts';
import { isWanted, mailOf } from './mail-text.ts';
import { openOutbox } from './outbox.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { MailSettings, NoticeSettings } from './settings.ts';

export interface Notifier {
  /**
   * Says that a run begins. All of these give a sentence for each notice that failed, and never fail themselves.
   * @param isOwing whether the last run was ended before it could send its mail: so may this one be
   */
  begin(isOwing: boolean): Promise<string[]>;
  /** Tells people of a run that has not ended; programs that wait for its end are told nothing. */
  meanwhile(outcome: RunOutcome): Promise<string[]>;
  /** @param mostMs after which a mail that is not sent waits for the next run; default: what each attempt may take */
  end(outcome: RunOutcome, mostMs?: number): Promise<string[]>;
  /** The same in a hurry: the mail waits for the next run, and what goes by HTTP has one short chance. */
  postpone(outcome: RunOutcome): Promise<string[]>;
}

export interface NotifierPlace {
  /** Of the profile's state; the outbox is in it. */
  readonly folder: string;
  /** Seconds since 1970. */
  now(): number;
  readonly signal: AbortSignal;
}

/** The process will be killed before long. */
const HURRY_MS = 3000;

export function createNotifier(settings: NoticeSettings, { folder, now, signal }: NotifierPlace): Notifier {
  const outbox = openOutbox(join(folder, 'outbox'));

  const letterOf = ({ from, to }: MailSettings, outcome: RunOutcome, more = ''): Letter => {
    const { subject, body } = mailOf(outcome);
    return { subject, body: body + more, from, to };
  };

  const lostLetters = (): string => {
    try {
      const damaged = outbox.setAside();
      return damaged
        .map(
          ({ time, path }) =>
            `\nThe mail of the run of ${asctime(Math.floor(time))} could not be sent then, and is damaged now. What is left of it is in ${path}; the log tells how that run went.\n`,
        )
        .join('');
    } catch {
      return ''; // who sends what waits will tell
    }
  };

  /**
   * What waited goes first, to the addresses of today; as long as one can't be sent, the others would not be either.
   * Only one whose text the server refuses would be refused for ever, and is given up.
   */
  async function mail(own: MailSettings, letter: Letter | undefined, limit: AbortSignal): Promise<void> {
    const { from, to, transport } = own;
    const refused: string[] = [];
    const told = (text: string | undefined) => text !== undefined && refused.push(text);
    let left = 0;
    /** What a filter dislikes is mostly a name in the text: how the run ended is told without it. */
    const deliver = async (one: Letter): Promise<void> => {
      try {
        told(await sendMail(one, transport, limit));
      } catch (error) {
        if (!isTextRefused(error)) throw error;
        const why = messageOf(error);
        const body = `The mail server has refused what this mail said; the log of the run has it.\n\n${why}\n`;
        told(await sendMail({ ...one, body }, transport, limit));
        told(`${why}; '${one.subject}' went out without its text`);
      }
    };
    /** An outbox on a disk that is full or read-only keeps no mail back. */
    const ofOutbox = <T>(work: () => T): T | undefined => {
      try {
        return work();
      } catch (error) {
        refused.push(messageOf(error));
        return undefined;
      }
    };
    try {
      const waiting = ofOutbox(() => outbox.waiting()) ?? [];
      left = waiting.length;
      for (const { letter: old, sent } of waiting) {
        try {
          await deliver({ ...old, from, to });
        } catch (error) {
          if (!isTextRefused(error)) throw error;
          refused.push(`${messageOf(error)}; '${old.subject}' waited in the outbox and is given up`);
        }
        left--;
        ofOutbox(sent);
      }
      if (letter) await deliver(letter);
    } catch (error) {
      const at = refused.push(messageOf(error)) - 1;
      if (letter) ofOutbox(() => outbox.keep(letter, now()));
      const isKept = refused.length === at + 1 && (letter || left > 0);
      if (isKept) refused[at] += '; it is kept for the next run';
    }
    if (refused.length > 0) throw new Error(refused.join('; '));
  }

  /** Whoever waits for a sign of life must not take a run that was ended for one that is on its way. */
  const byHttp = ({ pings, webhooks }: NoticeSettings, outcome: RunOutcome, limit: AbortSignal) => [
    ...pings.map(ping => pingEnd(ping, outcome, limit)),
    ...webhooks.map(webhook => callWebhook(webhook, outcome, limit)),
    ...byNtfy(outcome, limit),
  ];
  const byNtfy = (outcome: RunOutcome, limit: AbortSignal) => {
    const { ntfy } = settings;
    return ntfy && isWanted(ntfy.on, outcome) ? [publish(ntfy, outcome, limit)] : [];
  };
  const byMail = (outcome: RunOutcome, limit: AbortSignal) => {
    const { mail: own } = settings;
    if (!own) return [];
    // What a mail said that is lost nobody knows: this one tells of it, wanted or not.
    const lost = lostLetters();
    const isTold = lost !== '' || isWanted(own.on, outcome);
    return [mail(own, isTold ? letterOf(own, outcome, lost) : undefined, limit)];
  };

  return {
    begin(isOwing) {
      const { mail: own, pings } = settings;
      const owed = own && isOwing ? [mail(own, undefined, signal)] : [];
      return failuresOf([...owed, ...pings.map(ping => pingStart(ping, signal))]);
    },
    meanwhile: outcome => failuresOf([...byMail(outcome, signal), ...byNtfy(outcome, signal)]),
    end(outcome, mostMs) {
      const limit = mostMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(mostMs)]);
      return failuresOf([...byMail(outcome, limit), ...byHttp(settings, outcome, limit)]);
    },
    postpone(outcome) {
      const { mail: own } = settings;
      const keep = async () => {
        if (own && isWanted(own.on, outcome)) outbox.keep(letterOf(own, outcome), now());
      };
      return failuresOf([keep(), ...byHttp(settings, outcome, AbortSignal.timeout(HURRY_MS))]);
    },
  };
}

async function failuresOf(work: readonly Promise<void>[]): Promise<string[]> {
  const results = await Promise.allSettled(work);
  return results.flatMap(result => (result.status === 'rejected' ? [messageOf(result.reason)] : []));
}
