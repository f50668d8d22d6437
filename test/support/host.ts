/** Commands called inside the test's own process, with a clock, a passphrase and ears of the test's. */

import { randomBytes } from 'node:crypto';
import type { Host } from '../../src/commands/host.ts';
import { createWatchdog } from '../../src/commands/watchdog.ts';
import { BackupError } from '../../src/errors.ts';
import type { Report } from '../../src/report.ts';

export interface TestHost extends Host {
  /** What was printed and reported since the last `clear`. */
  readonly output: () => string;
  readonly reports: readonly Report[];
  clear(): void;
  /** Sets the clock. */
  set(seconds: number): void;
  /** Runs from now on are told to end when they have stored so many volumes; undefined: they are not. */
  interruptAfter(volumes: number | undefined): void;
}

export interface TestHostOptions {
  readonly passphrase?: string;
  readonly now?: number;
  readonly cores?: number;
  readonly signal?: AbortSignal;
}

export function createTestHost({
  passphrase = '',
  now = 1_700_000_000,
  cores = 1,
  signal,
}: TestHostOptions = {}): TestHost {
  let clock = now;
  let output = '';
  const reports: Report[] = [];
  let interruption = new AbortController();
  let volumesLeft: number | undefined;
  return {
    output: () => output,
    reports,
    clear() {
      output = '';
      reports.length = 0;
    },
    set(seconds) {
      clock = seconds;
    },
    interruptAfter(volumes) {
      interruption = new AbortController();
      volumesLeft = volumes;
    },
    now: () => clock,
    async sleep(ms) {
      clock += ms / 1000;
    },
    pause(ms) {
      clock += ms / 1000;
    },
    random: size => randomBytes(size),
    hostname: () => 'testhost',
    reporter: {
      report(event) {
        reports.push(event);
        if (event.code === 'volume-stored' && volumesLeft !== undefined && --volumesLeft === 0) {
          interruption.abort(new BackupError('interrupted', 'ended by a test'));
        }
      },
      progress() {},
    },
    async print(text) {
      output += typeof text === 'string' ? text : Buffer.from(text()).toString('latin1');
    },
    passphrase: async () => Buffer.from(passphrase),
    signPassphrase: async () => Buffer.from(passphrase),
    get signal() {
      return signal ?? interruption.signal;
    },
    get interrupted() {
      return signal ?? interruption.signal;
    },
    watchdog: createWatchdog(0),
    cores,
  };
}
