/**
 * The one way in which every room talks to the person who runs us. Rooms below `cli` know only this interface; who
 * prints, and whether as text or JSON lines, is `cli`'s business. Nothing said here may hold a secret.
 */

/** A fact worth a line, by code, so that programs need not read text. */
export interface Report {
  readonly level: 'error' | 'warning' | 'notice' | 'info' | 'debug';
  /** Stable name of the kind of event, for example `source-unreadable`. */
  readonly code: string;
  /** One sentence; names of files already made printable by `displayPath`. */
  readonly message: string;
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** Where a long run stands; sizes in bytes. Totals are absent while unknown. */
export interface Progress {
  readonly stage: string;
  readonly bytesDone: number;
  readonly bytesTotal?: number;
  readonly entriesDone: number;
  readonly path?: string;
}

export interface Reporter {
  report(event: Report): void;
  progress(progress: Progress): void;
}

/** A result for programs: a line of JSON of its own; docs/json.md has the fields of each type. */
export interface Item {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Keeps nothing, says nothing: for tests and for callers that do not care. */
export const silentReporter: Reporter = { report() {}, progress() {} };
