/**
 * Paths on this machine as duplicity takes them: `~` and `$NAME` that no shell has expanded, as in
 * `--archive-dir=~/cache` or in a crontab, are. A variable that is not set stays as it is written.
 */

import { atHome } from '../profiles/home.ts';
import type { OptionValue } from '../profiles/parse.ts';
import type { Environment } from '../profiles/places.ts';
import { isTargetUrl } from '../storage/url.ts';
import type { ActionSpec } from './actions.ts';
import type { OptionSpec } from './option-spec.ts';
import { options } from './options.ts';

export function localPath(text: string, environment: Environment): string {
  const named = /\$(?:(\w+)|\{(\w+)\})/g;
  return atHome(
    text.replace(named, (whole, plain, braced) => environment[(plain ?? braced) as string] ?? whole),
  );
}

const isPath = ({ kind }: OptionSpec) => kind === 'path';
const pathOptions = new Set(options.filter(isPath).map(({ long }) => long));

interface Typed {
  readonly arguments: readonly string[];
  readonly values: Readonly<Record<string, OptionValue>>;
  readonly ordered: readonly { readonly option: string; readonly value: string }[];
}

/** All that names a file or folder here: options, and arguments that are no URL. */
export function withLocalPaths<Line extends Typed>(
  invocation: Line,
  { positionals }: ActionSpec,
  environment: Environment,
): Line {
  const path = (text: string) => localPath(text, environment);
  const expanded = (value: OptionValue): OptionValue => {
    if (typeof value === 'string') return path(value);
    return Array.isArray(value) ? value.map(path) : value;
  };
  return {
    ...invocation,
    arguments: invocation.arguments.map((text, at) =>
      ['SOURCE', 'DIR'].includes(positionals[at]!) && !isTargetUrl(text) ? path(text) : text,
    ),
    values: Object.fromEntries(
      Object.entries(invocation.values).map(([name, value]) => [
        name,
        pathOptions.has(name) ? expanded(value) : value,
      ]),
    ),
    ordered: invocation.ordered.map(({ option, value }) => ({
      option,
      value: pathOptions.has(option) ? path(value) : value,
    })),
  };
}
