/** How one run of a profile ended: what mails, pings and the state file tell of it. */

export interface RunOutcome {
  /** Name of the profile. */
  readonly profile: string;
  readonly hostname: string;
  /** Seconds since 1970. */
  readonly started: number;
  readonly ended: number;
  /** It has not ended, and this is what is known at the time `ended`. */
  readonly isUnderWay?: boolean;
  /** `warn`: backed up, but something was not read, not proved, or has to be looked at. */
  readonly verdict: 'ok' | 'warn' | 'error';
  /** Exit status of the run. */
  readonly status: number;
  /** Whether the verdict is another one than that of the run before. */
  readonly isNews: boolean;
  /** Sentences for people, the most important one first; no secrets. */
  readonly summary: readonly string[];
  /** The statistics block of the backup; empty if none was made. */
  readonly statistics: string;
  /** Lines of the log, the last ones where it is long. */
  readonly log: readonly string[];
}
