/**
 * Which entries of a tree are stored. Conditions are asked in command-line order and the first that answers decides;
 * what none decides is taken. An include also says which folders lead to what it covers: those are *scanned*, read
 * but stored only together with the first thing taken below them. All other excluded folders are not read.
 * Patterns see a path as it is spelled from the source argument: for the source `s`, `a/b` in it is `s/a/b`.
 */

import type { EntryType } from '../entry.ts';
import { parseFilelist } from './filelist.ts';
import { createFilesFrom } from './files-from.ts';
import { compileGlob, compileLiteral, type PathMatcher, type PatternFault } from './glob.ts';
import { textOf } from './path-text.ts';
import { compilePythonRegExp, RegExpFault } from './python-regexp.ts';
import { type FilterMode, quoted, ruleError, type SelectionRule } from './select-rules.ts';

/** What a selection wants to know of an entry; a SourceEntry will do. */
export interface Candidate {
  /** From the root of the tree; bytes.ts says how. */
  readonly path: string;
  readonly type: EntryType;
  readonly mtimeSeconds: number;
  /** Number of the file system it is on. */
  readonly dev: bigint;
}

/** The two questions of a walk over the source, which has them as options of the same names. */
export interface Selection {
  /** For every entry but the root, in the order of a depth-first walk. */
  select(entry: Candidate): 'take' | 'skip' | 'scan';
  /**
   * For every folder that is read, the root first: whether it stays.
   * @param names of all in it; lent
   */
  enter(folder: Candidate, names: readonly string[]): boolean;
}

type Verdict = 'take' | 'skip' | 'scan' | undefined;

/** @param text the path from the source argument, in characters */
type Condition = (entry: Candidate, text: string) => Verdict;

interface Modes {
  readonly syntax: 'globbing' | 'literal' | 'regexp';
  readonly ignoreCase: boolean;
}

/**
 * @param rules in command-line order
 * @param source the source argument as it was typed; bytes
 * @returns for one walk at a time
 * @throws {BackupError} `usage`; the fact `duplicityExit` is the exit status duplicity has for it
 */
export function createSelection(rules: readonly SelectionRule[], source: string): Selection {
  const root = normalized(textOf(source));
  const conditions: Condition[] = [];
  const markers: string[] = [];
  const listed: ((path: string) => boolean)[] = [];
  let rootDevice: bigint | undefined;
  let lastInclude: string | undefined;
  let modes: Modes = { syntax: 'globbing', ignoreCase: false };
  let noDevices = false;

  function add(condition: Condition): void {
    conditions.push(condition);
    lastInclude = undefined;
  }

  function addPattern(include: boolean, pattern: string, syntax: Modes['syntax']): void {
    const matcher = compile(pattern, syntax, modes.ignoreCase, root);
    add((entry, text) => {
      if (matcher.covers(text, entry.type === 'directory')) return include ? 'take' : 'skip';
      return include && matcher.leadsTo(text, entry.type === 'directory') ? 'scan' : undefined;
    });
    if (include) lastInclude = pattern;
  }

  checkModes(rules);
  for (const rule of rules) {
    switch (rule.kind) {
      case 'pattern':
        addPattern(rule.include, textOf(rule.pattern), modes.syntax);
        break;
      case 'regexp':
        addPattern(rule.include, textOf(rule.pattern), 'regexp');
        break;
      case 'filelist':
        for (const line of parseFilelist(rule.bytes, rule)) {
          addPattern(line.include, line.pattern, modes.syntax);
        }
        break;
      case 'files-from':
        listed.push(createFilesFrom(rule.bytes, rule));
        break;
      case 'exclude-if-present':
        markers.push(rule.name);
        break;
      case 'exclude-older-than':
        add(entry => (entry.type === 'file' && entry.mtimeSeconds < rule.seconds ? 'skip' : undefined));
        break;
      case 'exclude-other-filesystems':
        add(entry => (entry.dev !== rootDevice ? 'skip' : undefined));
        break;
      case 'exclude-device-files':
        noDevices = true;
        break;
      case 'filter':
        modes = changed(modes, rule.mode);
        break;
    }
  }
  if (lastInclude !== undefined) {
    throw ruleError(
      'include-last',
      `The last selection includes ${quoted(lastInclude)}, which changes nothing, as all that no option excludes is included: add --exclude '**' to store nothing else.`,
    );
  }

  const top = below(root);
  return {
    select(entry) {
      if (noDevices && (entry.type === 'chardev' || entry.type === 'blockdev')) return 'skip';
      for (const holds of listed) if (!holds(entry.path)) return 'skip';
      const text = top + textOf(entry.path);
      let scanned = false;
      for (const condition of conditions) {
        const verdict = condition(entry, text);
        if (verdict === 'take') return 'take';
        if (verdict === 'skip') return scanned ? 'scan' : 'skip';
        if (verdict === 'scan') scanned = true;
      }
      return scanned ? 'scan' : 'take';
    },
    enter(folder, names) {
      if (folder.path !== '') return !markers.some(marker => names.includes(marker));
      rootDevice = folder.dev;
      return true;
    },
  };
}

/** A source argument as paths begin: empty parts and `.` go, `..` stays. */
function normalized(source: string): string {
  const parts = source.split('/').filter(part => part !== '' && part !== '.');
  return source.startsWith('/') ? `/${parts.join('/')}` : parts.join('/') || '.';
}

/** What paths in it begin with. */
function below(root: string): string {
  return root === '/' ? '/' : `${root}/`;
}

/** @param root the source argument, normalized: what the pattern must be able to match or lead from */
/** Characters. No path is as long, and what is made of a pattern is several times as large. */
const LONGEST_PATTERN = 32_768;

function compile(pattern: string, syntax: Modes['syntax'], ignoreCase: boolean, root: string): PathMatcher {
  if (pattern.length > LONGEST_PATTERN) {
    const start = pattern.slice(0, 60);
    throw ruleError(
      'bad-pattern',
      `A pattern of ${pattern.length} characters is too long; it begins with ${quoted(start)}. If it is a whole list, separated by NUL, give --null-separator.`,
      start,
    );
  }
  if (syntax === 'regexp') return compileRegExp(pattern, ignoreCase);
  const matcher = (syntax === 'literal' ? compileLiteral : compileGlob)(pattern, ignoreCase);
  if (typeof matcher === 'string') throw patternError(pattern, matcher);
  if (!matcher.covers(root, true) && !matcher.leadsTo(root, true)) {
    throw ruleError(
      'outside',
      `The pattern ${quoted(pattern)} can't match anything in ${quoted(root)}: begin it with ${quoted(below(root))} or '**'.`,
      pattern,
    );
  }
  return matcher;
}

function compileRegExp(expression: string, ignoreCase: boolean): PathMatcher {
  try {
    const regExp = compilePythonRegExp(expression, ignoreCase);
    return { covers: text => regExp.test(text), leadsTo: () => false };
  } catch (cause) {
    if (!(cause instanceof RegExpFault)) throw cause;
    throw ruleError(
      'bad-pattern',
      `The regular expression ${quoted(expression)} can't be used: ${cause.message}.`,
      expression,
      cause,
    );
  }
}

function patternError(pattern: string, fault: PatternFault): Error {
  switch (fault) {
    case 'empty':
      return ruleError(
        'bad-pattern',
        "A pattern of --include or --exclude is empty; '**' matches everything.",
      );
    case 'double-slash':
      return ruleError(
        'double-slash',
        `The pattern ${quoted(pattern)} has two slashes in a row, which no path has.`,
        pattern,
      );
    case 'backward-range':
      return ruleError(
        'bad-pattern',
        `The pattern ${quoted(pattern)} has a range in [] that runs backwards.`,
        pattern,
      );
  }
}

function changed(modes: Modes, mode: FilterMode): Modes {
  if (mode === 'ignorecase' || mode === 'strictcase') return { ...modes, ignoreCase: mode === 'ignorecase' };
  return { ...modes, syntax: mode };
}

function checkModes(rules: readonly SelectionRule[]): void {
  const modes = rules.flatMap(rule => (rule.kind === 'filter' ? rule.mode : []));
  if (modes.length > 0 && modes.every(mode => mode === 'globbing' || mode === 'strictcase')) {
    throw ruleError(
      'filter-idle',
      `--filter-${modes[0]} alone changes nothing: patterns are read so anyway.`,
    );
  }
  const last = rules.at(-1);
  if (last?.kind === 'filter') {
    throw ruleError(
      'filter-last',
      `--filter-${last.mode} changes how the options after it are read, but it is the last one.`,
    );
  }
}
