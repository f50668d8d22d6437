/** Rules that the sources keep among themselves, read from their text: who may import whom, who may do what. */

import { posix } from 'node:path';

/** Rooms from the ground up; a file may import its own room and any lower floor. */
const floors: readonly (readonly string[])[] = [
  ['base'],
  ['rsync', 'volumes', 'manifest'],
  ['network'],
  ['files', 'storage', 'cache', 'catalog', 'profiles', 'notices', 'schedule', 'keys'],
  ['engine'],
  ['commands'],
  ['cli', 'web'],
];

/** Files directly in `src` that belong to the ground floor; the one other file there is `cli.ts`. */
const baseFiles = [
  'errors.ts',
  'report.ts',
  'bytes.ts',
  'entry.ts',
  'streams.ts',
  'text.ts',
  'web-assembly.ts',
];

/** Who may end the process. */
const starters = ['cli.ts', 'cli/load-bundle.ts'];

/** Formats: no clock, no disk, no network, no randomness. Rooms of a floor that must not know each other. */
const formatRooms = floors[1]!;

const effectModules =
  /^node:(fs|fs\/promises|net|http|https|http2|tls|dgram|dns|dns\/promises|child_process|os|process|cluster)$/;

const effectWords: readonly (readonly [pattern: RegExp, told: string])[] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/, 'reads the clock; have the time handed in'],
  [/\bMath\.random\b|\brandom(Bytes|Int|UUID|Fill|FillSync)\b/, 'makes random bytes; have them handed in'],
  [/\bprocess\.\w/, 'talks to the process'],
  [/\bset(Timeout|Interval)\b/, 'sets a timer'],
  [/\bfetch\(/, 'talks to the network'],
];

export interface SourceFile {
  /** Relative to `src`, with `/`. */
  readonly path: string;
  readonly text: string;
}

/**
 * One printable line per broken rule.
 * @param dependencies names of packages that package.json lists for users
 */
export function violationsOf(files: readonly SourceFile[], dependencies: readonly string[]): string[] {
  const known = new Map(files.map(file => [file.path, importsOf(file.text)]));
  return [
    ...files.flatMap(file => importViolations(file.path, known, dependencies)),
    ...files.flatMap(file => wordViolations(file)),
    ...cyclesOf(known),
  ];
}

/** What a module names after `from`, or imports for its effect or on demand; types included. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const forms = [
    /^\s*(?:import|export)\b[^'"`;()]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
  ];
  return forms.flatMap(form => [...code.matchAll(form)].map(match => match[1]!));
}

const literalsAndComments =
  /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

function withoutComments(text: string): string {
  return text.replace(literalsAndComments, found => (found.startsWith('/') ? ' ' : found));
}

/** Without quoted text too; templates stay, for the code in them. */
function onlyCode(text: string): string {
  return text.replace(literalsAndComments, found => (found.startsWith('`') ? found : ' '));
}

export function roomOf(path: string): string | undefined {
  const [first, ...rest] = path.split('/');
  if (rest.length > 0) return floors.flat().includes(first!) && first !== 'base' ? first : undefined;
  if (path === 'cli.ts') return 'cli';
  return baseFiles.includes(path) ? 'base' : undefined;
}

function floorOf(room: string): number {
  return floors.findIndex(rooms => rooms.includes(room));
}

function importViolations(
  path: string,
  known: ReadonlyMap<string, readonly string[]>,
  dependencies: readonly string[],
): string[] {
  const room = roomOf(path);
  if (room === undefined) return [`${path}: is in no room; name the room in test/support/architecture.ts`];
  const told: string[] = [];
  for (const name of known.get(path)!) {
    const says = (what: string) => told.push(`${path}: imports '${name}', ${what}`);
    if (!name.startsWith('.')) {
      if (name.startsWith('node:')) {
        if (formatRooms.includes(room) && effectModules.test(name))
          says('but formats know no disk, clock or network');
      } else if (!dependencies.some(one => name === one || name.startsWith(`${one}/`))) {
        says('which package.json does not list under dependencies');
      }
      continue;
    }
    if (!name.endsWith('.ts')) {
      says('but imports of own files end in .ts');
      continue;
    }
    const target = posix.join(posix.dirname(path), name);
    const targetRoom = roomOf(target);
    if (targetRoom === undefined || !known.has(target)) says('which is not a file of a room');
    else if (floorOf(targetRoom) > floorOf(room)) says(`but ${room} is below ${targetRoom}`);
    else if (targetRoom !== room && formatRooms.includes(room) && formatRooms.includes(targetRoom)) {
      says('but the format rooms do not know each other');
    }
  }
  return told;
}

function wordViolations({ path, text }: SourceFile): string[] {
  const code = onlyCode(text);
  const told: string[] = [];
  if (!starters.includes(path) && /\bprocess\.(exit|exitCode|abort)\b/.test(code)) {
    told.push(`${path}: ends the process or sets its exit status; only cli.ts and its launcher do that`);
  }
  if (formatRooms.includes(roomOf(path) ?? '')) {
    for (const [pattern, what] of effectWords) if (pattern.test(code)) told.push(`${path}: ${what}`);
  }
  return told;
}

/** Each cycle once, told from the file where the search met it. */
function cyclesOf(known: ReadonlyMap<string, readonly string[]>): string[] {
  const told: string[] = [];
  const done = new Set<string>();

  function visit(path: string, trail: readonly string[]): void {
    const start = trail.indexOf(path);
    if (start >= 0) {
      told.push(`cycle: ${[...trail.slice(start), path].join(' → ')}`);
      return;
    }
    if (done.has(path)) return;
    for (const name of known.get(path) ?? []) {
      if (name.startsWith('.')) visit(posix.join(posix.dirname(path), name), [...trail, path]);
    }
    done.add(path);
  }

  for (const path of known.keys()) visit(path, []);
  return told;
}
