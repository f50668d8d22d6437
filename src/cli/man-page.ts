/** The manual page tsbackup(1), made from the table of options; see man(7) for the macros. */

import { type ActionSpec, actions } from './actions.ts';
import { exitStatuses } from './exit-statuses.ts';
import { meantFor, type OptionSpec } from './option-spec.ts';
import { optionGroups } from './options.ts';

/** @param date as it stands in the page's foot, for example `2026-11-23` */
export function manPage(version: string, date: string): string {
  return [
    `.TH TSBACKUP 1 ${date} "tsbackup ${version}" "User Commands"`,
    '.SH NAME',
    "tsbackup \\- incremental, encrypted backups in duplicity's archive format",
    '.SH SYNOPSIS',
    '.B tsbackup',
    '.RI [ action "] [" options "] " arguments',
    '.SH DESCRIPTION',
    text('Without an action, SOURCE URL is a backup, and URL DIR a restore.'),
    text(
      'URL is file:///folder, file://folder relative to the current folder, or s3://bucket/prefix. Actions on an archive and options may be cut short wherever that is unambiguous. What is not typed may come from the environment (TSBACKUP_VOLSIZE for --volsize) and from a profile, in that order.',
    ),
    '.SH ACTIONS',
    ...actions.flatMap(actionLines),
    '.SH OPTIONS',
    ...optionGroups.flatMap(({ title, options }) => [
      `.SS ${escaped(title)}`,
      ...options.filter(({ hidden }) => !hidden).flatMap(optionLines),
    ]),
    '.SH EXIT STATUS',
    ...exitStatuses.flatMap(([status, meaning]) => ['.TP', bold(status), text(sentence(meaning))]),
    '.SH ENVIRONMENT',
    ...[
      ['PASSPHRASE', 'the passphrase of the archive'],
      ['SIGN_PASSPHRASE', 'the passphrase of the key that signs, where it is another one'],
      ['TMPDIR', 'where temporary files go'],
      ['XDG_CACHE_HOME, XDG_CONFIG_HOME, XDG_STATE_HOME', 'where archive cache, profiles and state are kept'],
      [
        'TSBACKUP_SYSTEM_CONFIG',
        'the folder of the profiles of the whole machine, in place of /etc/tsbackup',
      ],
      ['AWS_…', 'credentials and region, as for all tools of AWS'],
    ].flatMap(([name, meaning]) => ['.TP', bold(name!), text(sentence(meaning!))]),
    '.SH FILES',
    ...[
      ['~/.cache/tsbackup', 'archive cache: manifests, signatures, catalogs; it can be removed at any time'],
      ['~/.config/tsbackup/NAME.toml, /etc/tsbackup/NAME.toml', 'profiles'],
      ['~/.local/state/tsbackup/NAME', 'how the runs of a profile went, their log, and mails that wait'],
    ].flatMap(([name, meaning]) => ['.TP', `.I ${escaped(name!)}`, text(sentence(meaning!))]),
    '.SH SEE ALSO',
    '.BR duplicity (1),',
    '.BR gpg (1),',
    '.BR rdiff (1)',
    '',
  ].join('\n');
}

function actionLines({ action, positionals, summary, detail }: ActionSpec): string[] {
  const places = positionals.map(name => (name.endsWith('?') ? `[${name.slice(0, -1)}]` : name));
  const [prose = '', ...examples] = detail.split(/(?:^|\n\n)Examples?:\n/);
  return [
    '.TP',
    `.B ${escaped(action)}${places.map(place => ` ${escaped(place)}`).join('')}`,
    text(sentence(summary)),
    text(prose.replaceAll('\n', ' ')),
    ...examples.flatMap(example => [
      '.RS',
      '.nf',
      ...example.split('\n').map(line => text(line.trim())),
      '.fi',
      '.RE',
    ]),
  ];
}

function optionLines(option: OptionSpec): string[] {
  const { long, short, aliases = [], kind, value, help } = option;
  const known = meantFor(option);
  const argument = kind === 'flag' ? '' : ` ${value ?? 'VALUE'}`;
  const names = [...(short ? [`-${short}`] : []), `--${long}`, ...aliases.map(alias => `--${alias}`)];
  const of = known ? ` (${known.join(', ')})` : '';
  return ['.TP', bold(`${names.join(', ')}${argument}`), text(`${sentence(help)}${of}`)];
}

function sentence(words: string): string {
  const whole = `${words[0]!.toUpperCase()}${words.slice(1)}`;
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function bold(words: string): string {
  return `.B ${escaped(words)}`;
}

/** A line of text: one that begins like a request must not be taken for one. */
function text(words: string): string {
  const safe = escaped(words);
  return /^[.']/.test(safe) ? `\\&${safe}` : safe;
}

/** Characters that troff would take for something else; what is not ASCII by its number. */
function escaped(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(
      /["'`^~]/g,
      mark => ({ '"': '\\(dq', "'": '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti' })[mark]!,
    )
    .replace(
      /[^\x20-\x7e]/gu,
      mark => `\\[u${mark.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
