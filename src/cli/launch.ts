#!/usr/bin/env node
/**
 * Where the program and its threads begin: what needs no bundle is done without it. Modules of Node that not every
 * start needs are loaded by load-bundle.ts.
 */

import { writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { systemCode } from '../errors.ts';
import { versionLine } from './version.ts';

declare const __filename: string; // it is bundled as CommonJS, which starts sooner
declare const __dirname: string;

const name = basename(__filename, '.js');
const [, program, ...words] = process.argv;
const version =
  name === 'cli' ? versionLine(words, program, join(__dirname, '../../package.json')) : undefined;
if (version === undefined) {
  void import('./load-bundle.ts').then(({ loadBundle }) => loadBundle(name, __dirname, words));
} else {
  try {
    writeSync(1, version);
  } catch (error) {
    // A pipe that is full, or nobody at its end: the stream waits for the one, and does not mind the other.
    process.stdout.on('error', () => {});
    if (systemCode(error) !== 'EPIPE') process.stdout.write(version);
  }
}
