/** Regular expressions find what Python's own find. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { compilePythonRegExp, RegExpFault } from '../../src/files/python-regexp.ts';
import { createRandom, type Random } from '../support/random.ts';
import { needTool } from '../support/tools.ts';

const written = [
  String.raw`(.)\1b`,
  String.raw`(a)(b)\2\1`,
  String.raw`(a)\1\d`,
  String.raw`(a)\1\101`,
  String.raw`\0a\x41\u00e9\U0001f600`,
  String.raw`\.jpe?g$`,
  String.raw`(?i)\.JPE?G\Z`,
  '(?x) a b # both',
  '(?s)a.b|(?:ab){2,}',
  '(?P<x>a|b)(?P=x)',
  String.raw`[]a]|[^]a]|[a\]b]|[\w-]`,
  'a{,2}b|a{2}|{}|a{}',
  '(?<=a)b|(?<!a)a|a(?=b)|a(?!b)',
  String.raw`\bab\b|\Bb\B|\Aa`,
  '(?#said)a+?b*?',
];
const parts = [
  'a',
  'b',
  'A',
  '1',
  '.',
  '/',
  'é',
  'ß',
  '\\.',
  '\\d',
  '\\D',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '\\b',
  '\\B',
];
const classes = ['[ab]', '[^a]', '[a-z]', '[\\d-]', '[^\\w/]', '[.]', '[\\b]', '[é-ü]'];
const repeats = ['', '', '', '*', '+', '?', '{2}', '{1,}', '{,2}', '*?', '+?'];
const letters = ['a', 'a', 'b', 'A', 'B', '1', '2', '.', '/', '-', ' ', '\n', 'é', 'É', 'ß', '²', '_', '日'];

/**
 * Never empty, as no path is: Python's `\B` does not match nothing. Nor of two units of UTF-16: V8 sees a place for
 * `\B` between them.
 */
function randomText(random: Random): string {
  return Array.from({ length: 1 + random.int(8) }, () => random.pick(letters)).join('');
}

/** References stand only behind groups that took part: for others the two differ, as is documented. */
function randomExpression(random: Random): string {
  let expression = random.pick(['', '', '', '(?i)', '(?s)', '(?m)', '^']);
  let groups = 0;
  for (let left = 1 + random.int(5); left > 0; left--) {
    const kind = random.int(8);
    if (kind === 0) {
      expression += `(${random.pick(parts)}${random.pick(classes)})`;
      groups++;
    } else if (kind === 1 && groups > 0) {
      expression += `\\${1 + random.int(groups)}`;
    } else if (kind === 2) {
      expression += `(?:${random.pick(parts)}|${random.pick(classes)})${random.pick(repeats)}`;
    } else {
      const part = random.pick(random.int(3) === 0 ? classes : parts);
      expression += part + (/^\\[bB]$/.test(part) ? '' : random.pick(repeats));
    }
  }
  return expression + random.pick(['', '', '$', '\\Z']);
}

const python = `
import json, re, sys
for expression, texts in json.load(sys.stdin):
    try:
        found = re.compile(expression)
        print(json.dumps([bool(found.search(text)) for text in texts]))
    except re.error:
        print('null')
`;

test("expressions find what Python's find", t => {
  if (!needTool(t, 'python3')) return;
  const random = createRandom('expressions');
  const expressions = [...written, ...Array.from({ length: 1500 }, () => randomExpression(random))];
  const questions = expressions.map(expression => {
    const texts = Array.from({ length: 40 }, () => randomText(random));
    return [expression, [...texts, 'aab', '112b', 'abba', 'aa1', 'aaA', 'x.jpg', 'x.JPEG\n']] as const;
  });
  const answers = execFileSync('python3', ['-c', python], {
    input: JSON.stringify(questions),
    encoding: 'utf8',
  })
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as boolean[] | null);
  let used = 0;
  for (const [index, [expression, texts]] of questions.entries()) {
    const theirs = answers[index];
    if (!theirs) continue;
    used++;
    const regExp = compilePythonRegExp(expression);
    const ours = texts.map(text => regExp.test(text));
    assert.deepEqual(
      ours,
      theirs,
      `${expression} on ${JSON.stringify(texts.filter((_, i) => ours[i] !== theirs[i]))}`,
    );
  }
  assert.ok(used > 1000);
});

test('what has no counterpart is refused in words', () => {
  const refused = [
    ['(?L)a', 'the flag (?L) is not supported'],
    ['a++', 'possessive repeats are not supported'],
    ['(?>a)', 'a group that begins with (?> is not supported'],
    ['a\\', 'it ends in a backslash'],
    ['\\q', 'the escape \\q is not supported'],
    ['[b-a]', 'a range in a class is not from a character to a later one'],
    ['[a', 'a class is not closed'],
    ['\\U00110000', '\\U00110000 is no character'],
    ['(a', 'unterminated group'],
  ] as const;
  for (const [expression, message] of refused) {
    assert.throws(() => compilePythonRegExp(expression), new RegExpFault(message), expression);
  }
});
