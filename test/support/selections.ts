/** Random selection rules and small trees that they bite on, for our selection and for a program's command line. */

import { spawnSync } from 'node:child_process';
import { lutimesSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, pathFromText } from '../../src/bytes.ts';
import type { SelectionRule } from '../../src/files/select-rules.ts';
import type { Random } from './random.ts';

const names = [
  ...[
    'a',
    'b',
    'ab',
    'A',
    'B',
    'aa',
    '.x',
    'x y',
    ' ',
    ' b',
    'b ',
    '#c',
    '-',
    '+',
    'b.txt',
    'a.TXT',
    '1.txt',
  ],
  ...[
    'ä',
    'Ä',
    'é',
    'ß',
    'ſ',
    's',
    'S',
    '日本',
    '😀',
    '[a]',
    'a*',
    'a?',
    'a]',
    '!a',
    '^',
    'a\\b',
    "'q'",
    '{2}',
  ],
  ...[
    'n\nl',
    'a\n',
    '\ta',
    '$',
    '(a)',
    'a|b',
    'ignorecase:a',
    '~',
    'i',
    'İ',
    'ı',
    'K',
    'K',
    '..x',
    '\u3000a',
  ],
].map(pathFromText);
const oddNames = ['\xff', 'a\xff', '\xc3', 'a\xe4b', '\xe6\x97'];
const markers = ['.nobackup', 'a', 'b.txt', 'é'].map(pathFromText);
export const OLD_SECONDS = 1_000_000_000;

export interface TestTree {
  readonly folders: readonly string[];
  /** All, folders too, but the root. */
  readonly paths: readonly string[];
}

/** @param root an existing empty folder; some files in it get a time of 2001 */
export function makeSmallTree(root: string, random: Random): TestTree {
  const folders = [''];
  const paths: string[] = [];
  const taken = new Set<string>();
  for (let left = random.between(8, 45); left > 0; left--) {
    const parent = random.pick(folders);
    const name = random.chance(0.06)
      ? '.nobackup'
      : random.chance(0.08)
        ? random.pick(oddNames)
        : random.pick(names.slice(0, random.chance(0.5) ? 6 : names.length));
    const path = parent === '' ? name : `${parent}/${name}`;
    if (taken.has(path)) continue;
    taken.add(path);
    paths.push(path);
    const place = bytesOf(`${root}/${path}`);
    if (random.chance(0.45) && path.split('/').length < 5) {
      mkdirSync(place);
      folders.push(path);
    } else if (random.chance(0.08)) {
      symlinkSync('a', place);
    } else if (random.chance(0.05)) {
      spawnSync('mkfifo', [join(root, 'fifo')]);
      renameSync(join(root, 'fifo'), place);
    } else {
      writeFileSync(place, '');
    }
    if (random.chance(0.3)) lutimesSync(place, OLD_SECONDS, OLD_SECONDS);
  }
  return { folders, paths };
}

export interface RuleSet {
  readonly rules: readonly SelectionRule[];
  readonly args: readonly string[];
}

/**
 * @param source how the source argument is spelled, normalized
 * @param listFolder where the filelists are written
 */
export function makeRules(
  random: Random,
  { tree, source, listFolder }: { tree: TestTree; source: string; listFolder: string },
): RuleSet {
  const rules: SelectionRule[] = [];
  const args: string[] = [];
  const nullSeparated = random.chance(0.2);
  let lists = 0;

  function filelist(include: boolean): void {
    const lines: string[] = [];
    for (let left = random.between(0, 5); left > 0; left--) {
      const signs = ['', '', '+ ', '- ', ' - ', '+  ', '+\t', '-'];
      const sign = random.chance(0.9) ? random.pick(signs.slice(0, 4)) : random.pick(signs);
      const quote = random.chance(0.15) ? random.pick(["'", '"']) : '';
      lines.push(
        sign + quote + makePattern(random, tree, source) + quote + random.pick(['', '', ' ', '\t ']),
      );
      if (random.chance(0.1)) lines.push(random.pick(['', '# s/a', '  ', ' # x', '#', "''"]));
    }
    if (random.chance(0.6)) lines.push('- **');
    const ending = nullSeparated ? '\0' : random.pick(['\n', '\n', '\r\n']);
    const bytes = bytesOf(lines.join(ending) + random.pick(['', ending]));
    const name = join(listFolder, `list-${lists++}`);
    writeFileSync(name, bytes);
    rules.push({ kind: 'filelist', include, name, bytes, nullSeparated });
    const globbing = random.chance(0.1) ? 'globbing-' : '';
    args.push(include ? `--include-${globbing}filelist` : `--exclude-${globbing}filelist`, name);
  }

  function add(include: boolean): void {
    const chance = random.int(100);
    if (chance < 62) {
      const pattern = makePattern(random, tree, source);
      rules.push({ kind: 'pattern', include, pattern });
      args.push(`${include ? '--include' : '--exclude'}=${Buffer.from(pattern, 'latin1').toString('utf8')}`);
    } else if (chance < 74) {
      const pattern = makeRegExp(random, tree, source);
      rules.push({ kind: 'regexp', include, pattern });
      args.push(
        `${include ? '--include' : '--exclude'}-regexp=${Buffer.from(pattern, 'latin1').toString('utf8')}`,
      );
    } else if (chance < 86) {
      filelist(include);
    } else if (chance < 91) {
      const name = random.pick(markers);
      rules.push({ kind: 'exclude-if-present', name });
      args.push('--exclude-if-present', Buffer.from(name, 'latin1').toString('utf8'));
    } else if (chance < 95) {
      const seconds = random.pick([OLD_SECONDS, OLD_SECONDS + 1]);
      rules.push({ kind: 'exclude-older-than', seconds });
      args.push('--exclude-older-than', String(seconds));
    } else if (chance < 98) {
      rules.push({ kind: 'exclude-other-filesystems' });
      args.push('--exclude-other-filesystems');
    } else {
      rules.push({ kind: 'exclude-device-files' });
      args.push('--exclude-device-files');
    }
  }

  for (let left = random.between(1, 5); left > 0; left--) add(random.chance(0.55));
  if (random.chance(0.75)) {
    const pattern = random.pick(['**', '**', source, `${source}/*`, `${source}/**`]);
    rules.push({ kind: 'pattern', include: false, pattern });
    args.push('--exclude', Buffer.from(pattern, 'latin1').toString('utf8'));
  }
  if (nullSeparated) args.push('--null-separator');
  return { rules, args };
}

/** Valid UTF-8 in any case, as arguments of programs are text. */
function asText(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8').replaceAll('\ufffd', '?');
}

/** Spelled like something in the tree, with some of it replaced by wildcards or spoilt. */
function makePattern(random: Random, tree: TestTree, source: string): string {
  const target = random.chance(0.9)
    ? random.pick([...tree.paths, 'a'])
    : `${random.pick([...tree.folders])}/no`;
  const parts = asText(`${source === '/' ? '' : source}/${target}`).split('/');
  const fixed = random.chance(0.92) ? source.split('/').length : 0;
  const changed = parts.map((part, index) => {
    if (index < fixed || random.chance(0.55)) return part;
    const chars = Array.from(part);
    const at = random.int(chars.length);
    const replaceAt = (text: string) => chars.map((char, i) => (i === at ? text : char)).join('');
    const char = chars[at] ?? 'a';
    switch (random.int(12)) {
      case 0:
      case 1:
        return '*';
      case 2:
        return '**';
      case 3:
        return replaceAt('?');
      case 4:
        return replaceAt('*');
      case 5:
        return replaceAt('**');
      case 6:
        return replaceAt(
          random.pick([`[${char}]`, '[a-z]', '[!a]', `[^${char}x]`, '[]a]', '[!]b]', '[', '[a-', '[\\w]']),
        );
      case 7:
        return `${part}*`;
      case 8:
        return `*${part}`;
      case 9:
        return random.pick(['?', '??', '*?', '*.*', '**.txt', '[[]a]', '[!.]*', '[ä-ü]', '[*]', '[?]']);
      case 10:
        return random.chance(0.7) ? part.toUpperCase() : part.toLowerCase();
      default:
        return random.chance(0.1) ? random.pick(['', '[z-a]', '.', '..']) : part;
    }
  });
  if (random.chance(0.15)) changed.splice(random.between(1, changed.length), changed.length, '**');
  if (random.chance(0.1)) changed.splice(0, random.between(1, changed.length), '**');
  const slash = random.chance(0.15) ? '/' : '';
  const prefix = random.chance(0.12) ? random.pick(['ignorecase:', 'IgnoreCase:']) : '';
  return pathFromText(prefix + changed.join('/') + slash);
}

const fragments = [
  ...[
    '^',
    '$',
    '/',
    'a',
    'b',
    'A',
    '.',
    '.*',
    '[ab]',
    '[^/]+',
    '\\w',
    '\\W',
    '\\d',
    '\\s',
    '\\S+',
    '\\b',
    '\\.',
  ],
  ...[
    '(a|b)',
    '(?:a|x)+',
    'ä',
    'é?',
    '[à-ü]',
    '.{2}',
    'a{,2}',
    '{',
    '[]a]',
    '\\Z',
    '\\A',
    '(?=a)',
    '(?<!a)b',
  ],
  ...[
    'txt$',
    '\\x61',
    '\\u00e4',
    '[\\w.]',
    '[^\\W]',
    '[\\d-]',
    '\\n',
    '😀',
    '/[^/]*$',
    '(?P<q>.)(?P=q)',
    '(.)\\1',
  ],
  ...['a*?', '(?#x)', '-', '&', '~', ' ', '#', '\\141', '\\-', '\\/'],
];

function makeRegExp(random: Random, tree: TestTree, source: string): string {
  const flags = random.chance(0.25) ? random.pick(['(?i)', '(?s)', '(?m)', '(?x)', '(?is)', '(?u)']) : '';
  if (random.chance(0.35)) {
    const path = asText(`${source}/${random.pick([...tree.paths, 'a'])}`);
    const escaped = path.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    const text = Array.from(escaped).slice(random.int(4)).join('');
    return pathFromText(
      flags +
        random.pick(['', '^']) +
        text.replace(/\\?[^/\\]$/u, random.pick(['.', '$&'])) +
        random.pick(['', '$']),
    );
  }
  let expression = flags;
  for (let left = random.between(1, 4); left > 0; left--) expression += random.pick(fragments);
  return pathFromText(expression);
}
