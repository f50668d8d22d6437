/** A real S3 server in a process of its own, on loopback, with a folder of its own; both are gone after the test. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface S3Server {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly bucket: string;
  /** Where the server keeps its files. */
  readonly folder: string;
  close(): Promise<void>;
}

export const BUCKET = 'bucket';

/** Credentials that the server knows, and nothing of the user's own that would get in the way. */
export const credentials = {
  AWS_ACCESS_KEY_ID: 'S3RVER',
  AWS_SECRET_ACCESS_KEY: 'S3RVER',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
} as const;

/** `old` ones know no checksum headers; `lean` ones have ETags that are no MD5, as Amazon's directory buckets. */
export type ServerKind = 'usual' | 'old' | 'lean';

/** Also sets the credentials in this process's environment. */
export async function startS3Server(kind: ServerKind = 'usual'): Promise<S3Server> {
  Object.assign(process.env, credentials, { no_proxy: '*' });
  const folder = await mkdtemp(join(tmpdir(), 'tsbackup-s3-'));
  const program = fileURLToPath(import.meta.resolve('./s3-server-process.js'));
  // s3rver enciphers the tokens of its lists by DES.
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--openssl-legacy-provider', program, folder, BUCKET, kind],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'exit');
  const [line] = await Promise.race([once(child.stdout, 'data'), exited.then(() => [''])]);
  const port = Number(String(line));
  if (!(port > 0)) throw new Error('s3rver did not start');
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid!,
    bucket: BUCKET,
    folder,
    async close() {
      child.stdin.end();
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
