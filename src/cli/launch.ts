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
if (version === undefined || !isWritten(version)) {
  void import('./load-bundle.ts').then(({ loadBundle }) => loadBundle(name, __dirname, words));
}

/** Whether there is nothing more to do: the program waits for a pipe that is full, and tells of all else. */
function isWritten(text: string): boolean {
  try {
    writeSync(1, text);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPIPE'; // nobody at its end
  }
}
