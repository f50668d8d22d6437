// Licences of other people's code in what we build.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the packages that files belong to: each licence once, below the names of those that have it. */
export function licensesOf(files) {
  const holders = new Map();
  const folders = files.flatMap(file => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []);
  for (const folder of new Set(folders)) {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find(entry => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), 'utf8') : `${license}\n`;
    holders.set(text, [...(holders.get(text) ?? []), `${name} ${version}`]);
  }
  return [...holders].map(([text, names]) => `${names.join('\n')}\n\n${text}`).join('\n');
}
