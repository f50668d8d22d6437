/**
 * Does once what most runs do, so that V8 has compiled the code for it when compiled-script.ts keeps that; run by the build, and
 * never by people: first on one thread, then on those of a machine with more processors, which keep their own.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from './main.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsbackup-warm-up-'));
const source = join(folder, 'source');
const url = `file://${join(folder, 'target')}`;
process.env.PASSPHRASE = 'none that protects anything';
let time = 1_700_000_000;
let cores = 1;

function exit(status: number): never {
  throw new Error(`ended with ${status}`);
}

async function run(...words: string[]): Promise<void> {
  time += 100;
  const common = ['--archive-dir', join(folder, 'archive'), '--current-time', `${time}`];
  const surroundings = { version: '', isDuplicity: false, exit, killAfter() {}, cores };
  const status = await main([...words, ...common], surroundings);
  if (status !== 0) throw new Error(`${words[0]} ended with ${status}`);
}

function write(lines: number): void {
  mkdirSync(join(source, 'folder'), { recursive: true });
  for (let i = 0; i < 50; i++) {
    const text = Array.from({ length: lines }, (_, line) => `${line * line} is the square of ${line}\n`);
    writeFileSync(join(source, 'folder', `squares-${i}`), text.join('').slice(i));
  }
}

/** Into a bucket of a service that takes what it is given, and has nothing. */
async function runIntoBucket(): Promise<void> {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'nobody',
    AWS_SECRET_ACCESS_KEY: 'none',
    AWS_REGION: 'none',
    AWS_CONFIG_FILE: '/dev/null',
    no_proxy: '*',
  });
  const service = createServer((request, response) => {
    const sum = request.headers['x-amz-checksum-sha256'];
    if (sum !== undefined) response.setHeader('x-amz-checksum-sha256', sum);
    request
      .resume()
      .once('end', () => response.end(request.method === 'GET' ? '<Result><Name>x</Name></Result>' : ''));
  });
  await once(service.listen(0, '127.0.0.1'), 'listening');
  const { port } = service.address() as AddressInfo;
  await run('full', source, 's3://bucket/warm-up', '--s3-endpoint-url', `http://127.0.0.1:${port}`);
  service.close();
}

async function warmUp(): Promise<void> {
  try {
    mkdirSync(join(folder, 'target'));
    write(5000);
    await run('full', source, url);
    await run('incremental', source, url);
    write(5100);
    await run('incremental', source, url);
    await run('restore', url, join(folder, 'restored'));
    await run('collection-status', url);
    await runIntoBucket();
    cores = 2;
    writeFileSync(join(source, 'noise'), randomBytes(2 ** 20)); // sealed on a thread
    await run('full', source, url);
    await run('restore', url, join(folder, 'restored again'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

void warmUp();
