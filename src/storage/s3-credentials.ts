/**
 * Credentials that a program or a service hands out: they come within a time, or the run goes on without; and they are
 * asked for again when the service says that those we have are no longer good, whatever time they named. The SDK waits
 * for the program of a profile (`credential_process`) for ever, and its child would keep ours from ending.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { S3Client } from '@aws-sdk/client-s3';
import { CredentialsLateError } from './s3-errors.ts';

type Config = S3Client['config'];

export interface Credentials {
  /** @returns whether there are others now */
  renew(): Promise<boolean>;
}

/** Puts itself in front of `config.credentials`. */
export function guardCredentials(config: Config, limitMs: number): Credentials {
  const ask = config.credentials;
  const guarded = (options?: Parameters<typeof ask>[0]) => within(limitMs, () => ask(options));
  const { memoized, configBound, attributed } = ask as unknown as Record<string, boolean | undefined>;
  config.credentials = Object.assign(guarded, { memoized, configBound, attributed }) as typeof ask;
  return {
    async renew() {
      const before = await guarded();
      const { accessKeyId, sessionToken } = await guarded({ forceRefresh: true });
      return accessKeyId !== before.accessKeyId || sessionToken !== before.sessionToken;
    },
  };
}

/** @throws CredentialsLateError; what was started to get them is ended then */
function within<T>(limitMs: number, ask: () => Promise<T>): Promise<T> {
  const children = new Set<ChildProcess>();
  let isLate = false;
  const note = (message: unknown) => {
    if (asking.getStore() !== children) return;
    const { process: child } = message as { process: ChildProcess };
    children.add(child);
    if (isLate) setImmediate(giveUp, child); // the SDK asks in more ways than one; it is only about to start
  };
  subscribe('child_process', note);
  const asked = asking.run(children, ask).finally(() => unsubscribe('child_process', note));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      for (const child of children) giveUp(child);
      reject(new CredentialsLateError('no credentials in time'));
    }, limitMs);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

const asking = new AsyncLocalStorage<Set<ChildProcess>>();

function giveUp(child: ChildProcess): void {
  child.kill('SIGKILL');
  for (const stream of child.stdio) stream?.destroy(); // what it has started itself may hold these open
  child.unref();
}
