/** S3 storages for tests: small parts, no real waiting between attempts. */

import { after, before } from 'node:test';
import type { Report, Reporter } from '../../src/report.ts';
import type { RetryHost } from '../../src/storage/retrying.ts';
import { openS3, type S3Host, type S3Options, type S3Storage } from '../../src/storage/s3.ts';
import { BUCKET, type S3Server, startS3Server } from './s3-server.ts';

/** One server for all tests of a file. */
export function sharedServer(): () => S3Server {
  let server: S3Server | undefined;
  before(async () => {
    server = await startS3Server();
  });
  after(async () => server?.close());
  return () => server!;
}

/** Time that passes only by sleeping. */
export function fakeTime(random: () => number = () => 0.5): RetryHost & { slept: number[] } {
  let now = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    random,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      now += ms;
    },
  };
}

export interface Heard extends Reporter {
  readonly events: Report[];
}

export function hear(): Heard {
  const events: Report[] = [];
  return { events, report: event => events.push(event), progress() {} };
}

export const PART = 256 * 1024;
let prefixes = 0;

/** A storage under a prefix of its own. */
export function openTest(
  endpointUrl: string,
  options: S3Options = {},
  host: S3Host = {},
  prefix?: string,
): Promise<S3Storage> {
  return openS3(
    { scheme: 's3', bucket: BUCKET, prefix: prefix ?? `p${++prefixes}/sub` },
    { endpointUrl, ...options },
    { partSize: PART, retry: fakeTime(), ...host },
  );
}
