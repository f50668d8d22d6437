/** Every command line of ours that a document shows is one that the program takes. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseCommandLine } from '../../src/cli/parse.ts';
import type { Profile } from '../../src/profiles/profile.ts';

const root = new URL('../../../', import.meta.url);
const profile: Profile = {
  ...{ name: 'photos', file: '/etc/tsbackup/photos.toml', source: '/photos', target: 'file:///nas' },
  ...{
    schedule: undefined,
    fullEvery: undefined,
    check: undefined,
    maxAgeSeconds: undefined,
    nice: 10,
    maxAge: undefined,
  },
  ...{ metricsFile: undefined, passphrase: undefined, signPassphrase: undefined, prune: undefined },
  ...{ s3: undefined, mail: undefined, smtp: undefined, ntfy: undefined, pings: [], webhooks: [] },
  options: new Map(),
};

/** Commands in blocks of shell, and those that a row of a table explains. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => block!.split('\n'));
  const rows = [...text.matchAll(/^\| `(tsbackup [^`]+)` \|/gm)].map(([, command]) => command!);
  return [...rows, ...blocks.flatMap(line => /(?:^|sudo |npx |\()(tsbackup [^#|)]*)/.exec(line)?.[1] ?? [])];
}

/** As a shell splits them; variables stay as they are. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replace(/["']/g, ''));
}

test('every documented command line is understood', async () => {
  const documents = ['README.md', ...readdirSync(new URL('docs/', root)).map(name => `docs/${name}`)];
  const found = documents
    .filter(name => name.endsWith('.md'))
    .flatMap(name => commandsIn(readFileSync(new URL(name, root), 'utf8')));
  assert.ok(found.length > 30, found.join('\n'));
  const background = { environment: {}, loadProfile: async () => profile };
  for (const command of found) {
    const [, ...words] = wordsOf(command);
    const parsed = await parseCommandLine(words, '0', () => {}, background);
    assert.ok(parsed || words.includes('--help') || words.includes('--version'), command);
  }
});
