/**
 * The incompressible corpus into a bucket on loopback: directly, and with latency added to every request; beside it
 * the same into a folder. What is written to the temporary folder meanwhile is watched. The server shares the machine
 * with the backup, which no service does: what it costs stands in a column of its own, and it is one of those that make
 * no MD5 of what they get. It does hold every part against its SHA-256. So folder and bucket are compared once more
 * where the backup has one processor and the server another one, which takes nothing from it.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startFaultProxy } from '../test/support/fault-proxy.ts';
import { expectStatus } from '../test/support/processes.ts';
import { credentials, startS3Server } from '../test/support/s3-server.ts';
import { removeTree } from '../test/support/temp-dir.ts';
import { type Cost, measure } from './measure.ts';
import { makeSpace, type Program, programs } from './programs.ts';

const LATENCY_MS = 50;

export interface S3Row extends Cost {
  readonly target: string;
  /** Whether the backup had one processor, and the server another one. */
  readonly isApart: boolean;
  /** Largest file seen in the temporary folder, bytes. */
  readonly largestTemporary: number;
  /** Processor time of the S3 server meanwhile; undefined where the system does not tell. */
  readonly serverSeconds: number | undefined;
}

/** Where a backup goes to, other than into a folder, and where it runs. */
interface Place {
  readonly url?: string;
  readonly endpoint?: string;
  /** The only one that it has. */
  readonly processor?: string | undefined;
}

/** Medians of `runs` rounds. */
export async function measureS3(source: string, work: string, runs: number): Promise<S3Row[]> {
  const program = programs.find(({ name }) => name === 'tsbackup') as Program;
  const server = await startS3Server('lean');
  const rows: S3Row[] = [];
  const take = async (kind: string, { url, endpoint, processor }: Place = {}) => {
    const isApart = processor !== undefined;
    const target = isApart ? `${kind}, one processor` : kind;
    removeTree(work);
    spawnSync('sync'); // nobody pays for what another one wrote
    const space = makeSpace(work);
    const step = program.step('full', source, space);
    const args = step.args.map(arg =>
      url !== undefined && arg === `file://${space.repository}` ? url : arg,
    );
    if (endpoint !== undefined) args.push('--s3-endpoint-url', endpoint);
    const temporary = join(work, 'watched');
    mkdirSync(temporary);
    let largestTemporary = 0;
    const watch = setInterval(() => {
      for (const name of readdirSync(temporary)) {
        largestTemporary = Math.max(largestTemporary, statSync(join(temporary, name)).size);
      }
    }, 20);
    try {
      const env = { ...step.env, ...credentials, TMPDIR: temporary };
      const before = cpuSecondsOf(server.pid);
      const command = isApart ? 'taskset' : step.command;
      const words = isApart ? ['-c', processor, step.command, ...args] : args;
      const cost = await measure({ ...step, command, args: words, env }, work);
      expectStatus(cost);
      const after = cpuSecondsOf(server.pid);
      const serverSeconds = before === undefined || after === undefined ? undefined : after - before;
      const { wallSeconds, cpuSeconds, peakRssBytes } = cost;
      rows.push({ target, isApart, wallSeconds, cpuSeconds, serverSeconds, peakRssBytes, largestTemporary });
      console.log(`  ${target}: ${wallSeconds.toFixed(2)} s`);
    } finally {
      clearInterval(watch);
      removeTree(work);
      if (url !== undefined) removeTree(join(server.folder, new URL(url).host, new URL(url).pathname));
    }
  };
  const processors = processorsOf(server.pid);
  const apart = processors.slice(0, 2);
  const placeServer = (on: readonly string[]) =>
    spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', on.join(), `${server.pid}`]);
  try {
    for (let run = 0; run < runs; run++) {
      await take('folder');
      await take('bucket', { url: `s3://${server.bucket}/direct-${run}`, endpoint: server.url });
      if (apart.length === 2 && placeServer(apart.slice(1)).status === 0) {
        const [processor] = apart;
        await take('folder', { processor });
        const url = `s3://${server.bucket}/apart-${run}`;
        await take('bucket', { url, endpoint: server.url, processor });
        placeServer(processors);
      }
      for (const latency of [0, LATENCY_MS]) {
        const proxy = await startFaultProxy(server.port, () => undefined, latency);
        try {
          const url = `s3://${server.bucket}/latency-${latency}-${run}`;
          await take(`bucket, ${latency} ms per request`, { url, endpoint: proxy.url });
        } finally {
          await proxy.close();
        }
      }
    }
  } finally {
    await server.close();
  }
  return [...new Set(rows.map(row => row.target))].map(target => {
    const own = rows.filter(row => row.target === target);
    return own.sort((a, b) => a.wallSeconds - b.wallSeconds)[own.length >> 1]!;
  });
}

/** By number; none where the system does not tell. */
function processorsOf(pid: number): string[] {
  const file = `/proc/${pid}/status`;
  const list = existsSync(file) && /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  return (list || '').split(',').flatMap(range => {
    const [first, last = first] = range.split('-').map(Number);
    return range === '' ? [] : Array.from({ length: last! - first! + 1 }, (_, i) => `${first! + i}`);
  });
}

const TICKS_PER_SECOND = 100; // of /proc on Linux, whatever the kernel's own are

function cpuSecondsOf(pid: number): number | undefined {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return undefined;
  const fields = readFileSync(file, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function formatS3(rows: readonly S3Row[]): string {
  const folderOf = (row: S3Row) => rows.find(({ isApart }) => isApart === row.isApart)!;
  return [
    '| target | wall s | CPU s | CPU s of the server | peak RSS MB | largest temporary file | ÷ folder |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map(row => {
      const { target, wallSeconds, cpuSeconds, serverSeconds, peakRssBytes, largestTemporary } = row;
      const rss = (peakRssBytes / 1e6).toFixed(0);
      const figures = [
        wallSeconds.toFixed(2),
        cpuSeconds.toFixed(2),
        serverSeconds?.toFixed(2) ?? '',
        rss,
        `${largestTemporary} bytes`,
      ];
      return `| ${[target, ...figures, (wallSeconds / folderOf(row).wallSeconds).toFixed(2)].join(' | ')} |`;
    }),
  ].join('\n');
}
