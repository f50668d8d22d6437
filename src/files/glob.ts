/**
 * Patterns of `--include` and `--exclude`, matched against the whole path as it is spelled from the source argument.
 * `*` is any run without `/`, `?` one character but `/`, `**` any run, `[…]` and `[!…]` a class; all else stands for
 * itself. A match covers everything below it; with a slash at the end the pattern itself matches folders only.
 */

import { literalSource, rangesSource } from './regexp-source.ts';

/** How a condition that was compiled from a pattern answers for a path. */
export interface PathMatcher {
  /** Whether the path, or a folder above it, is what the pattern says. */
  covers(text: string, isFolder: boolean): boolean;
  /** Whether the path is spelled like the beginning of something covered, so that such may lie below it. */
  leadsTo(text: string, isFolder: boolean): boolean;
}

/** Why a pattern can't be read. */
export type PatternFault = 'empty' | 'double-slash' | 'backward-range';

const below = '(?:\\/.*)?';
// As Python's `$`: a newline that ends the name is not seen.
const end = '\\n?$';

/** @param text as path-text.ts says, with or without the prefix `ignorecase:` */
export function compileGlob(text: string, ignoreCase = false): PathMatcher | PatternFault {
  const prefix = 'ignorecase:';
  const prefixed = text.slice(0, prefix.length).toLowerCase() === prefix;
  const caseless = ignoreCase || prefixed;
  // In small letters, and so `İ` becomes two characters that it does not match itself; duplicity does the same.
  const pattern = prefixed ? text.slice(prefix.length).toLowerCase() : text;
  if (pattern === '') return 'empty';
  const foldersOnly = pattern.endsWith('/');
  const glob = foldersOnly ? pattern.slice(0, -1) : pattern;
  if (fixedPart(glob).includes('//')) return 'double-slash';
  const itself = globSource(glob, caseless);
  const leading = leadingParts(glob).map(part => globSource(part, caseless));
  if (itself === undefined || leading.includes(undefined)) return 'backward-range';
  const flags = caseless ? 'sui' : 'su';
  const whole = new RegExp(`^${itself}${below}${end}`, flags);
  const onlyItself = foldersOnly ? new RegExp(`^${itself}${end}`, flags) : undefined;
  const lead = new RegExp(`^(?:${leading.join('|')})${end}`, flags);
  return {
    covers: (path, isFolder) => whole.test(path) && (isFolder || !onlyItself?.test(path)),
    // What has the pattern's own name and is no folder says nothing at all.
    leadsTo: (path, isFolder) => lead.test(path) && (isFolder || !onlyItself?.test(path)),
  };
}

/** The path itself and all below it, nothing having a special meaning. */
export function compileLiteral(text: string, ignoreCase = false): PathMatcher | PatternFault {
  if (text === '') return 'empty';
  const path = text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text;
  const flags = ignoreCase ? 'sui' : 'su';
  const itself = path === '/' ? '' : literalSource(path, ignoreCase);
  const whole = new RegExp(`^${itself}${below}$`, flags);
  const parts = path.split('/').map((_, index, all) => all.slice(0, index + 1).join('/') || '/');
  const lead = new RegExp(`^(?:${parts.map(part => literalSource(part, ignoreCase)).join('|')})$`, flags);
  return { covers: candidate => whole.test(candidate), leadsTo: candidate => lead.test(candidate) };
}

/** Up to the first `**`, and with it. */
function fixedPart(glob: string): string {
  const stars = glob.indexOf('**');
  return stars < 0 ? glob : glob.slice(0, stars + 2);
}

/** Every folder that something covered may lie in, as globs: one a part, up to the first `**`. */
function leadingParts(glob: string): string[] {
  return fixedPart(glob)
    .split('/')
    .map((_, index, all) => all.slice(0, index + 1).join('/') || '/');
}

function globSource(glob: string, ignoreCase: boolean): string | undefined {
  const chars = Array.from(glob);
  let source = '';
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === '*') {
      source += chars[i + 1] === '*' ? '.*' : '[^\\/]*';
      if (chars[i + 1] === '*') i++;
    } else if (char === '?') {
      source += '[^\\/]';
    } else {
      const close = char === '[' ? classEnd(chars, i) : -1;
      if (close < 0) {
        source += literalSource(char, ignoreCase);
        continue;
      }
      const negated = chars[i + 1] === '!' || chars[i + 1] === '^';
      const ranges = rangesSource(chars.slice(i + (negated ? 2 : 1), close), ignoreCase);
      if (ranges === undefined) return undefined;
      source += `[${negated ? '^' : ''}${ranges}]`;
      i = close;
    }
  }
  return source;
}

/** Where the class that begins at `open` is closed, or -1; a `]` that comes first belongs to it. */
function classEnd(chars: readonly string[], open: number): number {
  let at = open + 1;
  if (chars[at] === '!' || chars[at] === '^') at++;
  return chars.indexOf(']', at + 1);
}
