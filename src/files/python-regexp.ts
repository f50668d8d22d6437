/**
 * Regular expressions as Python writes them, for `--include-regexp` and `--exclude-regexp`, as JavaScript ones.
 * Letters, digits, space and word boundaries are Unicode's, as they are there. What has no counterpart (flags for a
 * part, atomic groups, conditions, possessive repeats, `\N{…}`) is refused by name. One thing stays different: a
 * reference to a group that took no part in the match matches the empty text, where Python's fails.
 */

import { spaces } from './path-text.ts';
import { characterSource, literalSource } from './regexp-source.ts';

/** Why an expression can't be used, in words that complete a sentence. */
export class RegExpFault extends Error {}

const word = '\\p{L}\\p{N}_';
const classes: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  s: `[${spaces}]`,
  S: `[^${spaces}]`,
  w: `[${word}]`,
  W: `[^${word}]`,
};
const controls: Readonly<Record<string, string>> = {
  a: '\x07',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const anchors: Readonly<Record<string, string>> = {
  A: '^',
  Z: '$',
  b: `(?:(?<=[${word}])(?![${word}])|(?<![${word}])(?=[${word}]))`,
  B: `(?:(?<=[${word}])(?=[${word}])|(?<![${word}])(?![${word}]))`,
};

/**
 * @param expression characters as path-text.ts says
 * @returns to be searched for, not anchored
 * @throws {RegExpFault}
 */
export function compilePythonRegExp(expression: string, ignoreCase = false): RegExp {
  const leading = /^(?:\(\?[a-zA-Z]+\))*/.exec(expression)![0];
  const flags = new Set(leading.replace(/[(?)]/g, ''));
  for (const flag of flags) {
    if (!'imsux'.includes(flag)) throw new RegExpFault(`the flag (?${flag}) is not supported`);
  }
  if (ignoreCase) flags.add('i');
  const source = translate(expression.slice(leading.length), flags);
  try {
    return new RegExp(source, flags.has('i') ? 'svi' : 'sv');
  } catch (cause) {
    const [, reason = 'it is malformed'] = /.*\/[a-z]*: (.*)$/s.exec((cause as Error).message) ?? [];
    throw new RegExpFault(reason.toLowerCase(), { cause });
  }
}

function translate(expression: string, flags: ReadonlySet<string>): string {
  const ignoreCase = flags.has('i');
  let rest = expression;
  let source = '';

  /** Takes what a sticky-like pattern finds at the front; undefined if it is not there. */
  function accept(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(rest);
    if (found?.index !== 0) return undefined;
    rest = rest.slice(found[0].length);
    return found;
  }

  function group(): string {
    if (!accept(/^\?/)) return '(';
    const named = accept(/^P<([^>]*)>/);
    if (named) return `(?<${named[1]}>`;
    const reference = accept(/^P=([^)]*)\)/);
    if (reference) return `\\k<${reference[1]}>`;
    if (accept(/^#[^)]*\)/)) return '';
    const plain = accept(/^(?:[:=!]|<[=!])/);
    if (plain) return `(?${plain[0]}`;
    throw new RegExpFault(`a group that begins with (?${rest.slice(0, 1)} is not supported`);
  }

  function repeat(): string | undefined {
    const braces = accept(/^\{(\d*)(,?)(\d*)\}/);
    if (!braces) return accept(/^[*+?]/)?.[0];
    const [text, from, comma, to] = braces;
    return text === '{}' ? undefined : `{${from || '0'}${comma}${to}}`;
  }

  while (rest !== '') {
    if (flags.has('x') && accept(new RegExp(`^(?:[${spaces}]|#[^\\n]*)`))) continue;
    if (rest.startsWith('{}')) {
      source += literalSource('{}', false);
      rest = rest.slice(2);
      continue;
    }
    const quantifier = repeat();
    if (quantifier !== undefined) {
      if (accept(/^\+/)) throw new RegExpFault('possessive repeats are not supported');
      source += quantifier + (accept(/^\?/) ? '?' : '');
      continue;
    }
    const char = accept(/^./su)![0];
    if (char === '(') source += group();
    else if (char === ')' || char === '|') source += char;
    else if (char === '.') source += flags.has('s') ? '.' : '[^\\n]';
    else if (char === '^') source += flags.has('m') ? '(?:^|(?<=\\n))' : '^';
    else if (char === '$') source += flags.has('m') ? '(?=\\n|$)' : '(?=\\n?$)';
    else if (char === '[') source += translateClass(accept);
    else if (char === '\\') {
      const reference = /^0/.test(rest) || /^[0-3][0-7]{2}/.test(rest) ? undefined : accept(/^[1-9]\d?/);
      const single = reference ? undefined : accept(/^[AZbBdDsSwW]/)?.[0];
      if (reference) source += `(?:\\${reference[0]})`;
      else if (single) source += anchors[single] ?? classes[single];
      else source += literalSource(escaped(accept), ignoreCase);
    } else source += literalSource(char, ignoreCase);
  }
  return source;
}

type Accept = (pattern: RegExp) => RegExpExecArray | undefined;

/** The character that an escape stands for; the backslash is taken already. */
function escaped(accept: Accept): string {
  const octal = accept(/^(?:0[0-7]{0,2}|[1-3][0-7]{2})/);
  if (octal) return String.fromCharCode(Number.parseInt(octal[0], 8));
  const hex = accept(/^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/);
  if (hex) {
    const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
    if (code > 0x10ffff) throw new RegExpFault(`\\${hex[0]} is no character`);
    return String.fromCodePoint(code);
  }
  const char = accept(/^./su)?.[0];
  if (char === undefined) throw new RegExpFault('it ends in a backslash');
  const control = controls[char];
  if (control === undefined && /[A-Za-z0-9]/.test(char)) {
    throw new RegExpFault(`the escape \\${char} is not supported`);
  }
  return control ?? char;
}

/** A class; its opening bracket is taken already. */
function translateClass(accept: Accept): string {
  const negated = accept(/^\^/) !== undefined;
  let items = '';
  for (let first = true; first || !accept(/^\]/); first = false) {
    const from = classItem(accept);
    const to = accept(/^-(?!\])/) && classItem(accept);
    if (to === undefined) {
      items += from.source;
    } else {
      const backward = from.code === undefined || to.code === undefined || from.code > to.code;
      if (backward) throw new RegExpFault('a range in a class is not from a character to a later one');
      items += `${from.source}-${to.source}`;
    }
  }
  return `[${negated ? '^' : ''}${items}]`;
}

function classItem(accept: Accept): { readonly source: string; readonly code: number | undefined } {
  let char: string | undefined;
  if (accept(/^\\/)) {
    const set = accept(/^[dDsSwW]/);
    if (set) return { source: classes[set[0]]!, code: undefined };
    char = accept(/^b/) ? '\b' : escaped(accept);
  } else {
    char = accept(/^./su)?.[0];
  }
  if (char === undefined) throw new RegExpFault('a class is not closed');
  return { source: characterSource(char), code: char.codePointAt(0)! };
}
