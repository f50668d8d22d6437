/**
 * Does once what most runs do, so that V8 has compiled the code for it when load-bundle.ts keeps that; run by the build, and
 * never by people. All on one thread: what is compiled on another one is lost.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from './main.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsbackup-warm-up-'));
const source = join(folder, 'source');
const url = `file://${join(folder, 'target')}`;
process.env.PASSPHRASE = 'none that protects anything';
let time = 1_700_000_000;

function exit(status: number): never {
  throw new Error(`ended with ${status}`);
}

async function run(...words: string[]): Promise<void> {
  time += 100;
  const common = ['--archive-dir', join(folder, 'archive'), '--current-time', `${time}`];
  const surroundings = { version: '', isDuplicity: false, exit, killAfter() {}, cores: 1 };
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
  } finally {
    rmSync(folder, { recursive: true });
  }
}

void warmUp();
