/** Pieces of JavaScript regular expressions (flags `u` or `v`), made from characters that stand for themselves. */

/** Letters that Python counts as one without case; Unicode's simple folding keeps the last two apart. */
const letterI = 'Iiİı';

/** One character, outside or inside of a class. */
export function characterSource(char: string): string {
  return /^[A-Za-z0-9_]$/.test(char) ? char : `\\u{${char.codePointAt(0)!.toString(16)}}`;
}

/** A literal text. */
export function literalSource(text: string, ignoreCase: boolean): string {
  let source = '';
  for (const char of text) {
    source += ignoreCase && letterI.includes(char) ? `[${letterI}]` : characterSource(char);
  }
  return source;
}

/**
 * What a class holds, from its characters between the brackets: single ones and ranges.
 * @returns undefined if a range runs backwards
 */
export function rangesSource(chars: readonly string[], ignoreCase: boolean): string | undefined {
  let source = '';
  for (let i = 0; i < chars.length; i++) {
    const first = chars[i]!;
    const last = chars[i + 2];
    if (chars[i + 1] === '-' && last !== undefined) {
      if (first.codePointAt(0)! > last.codePointAt(0)!) return undefined;
      source += `${characterSource(first)}-${characterSource(last)}`;
      i += 2;
    } else {
      source += ignoreCase && letterI.includes(first) ? letterI : characterSource(first);
    }
  }
  return source;
}
