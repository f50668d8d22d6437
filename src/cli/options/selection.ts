import { backups, type OptionSpec } from '../option-spec.ts';

const takers: Pick<OptionSpec, 'actions' | 'passedOver'> = {
  actions: [...backups, 'verify', 'restore'],
  passedOver: ['restore'],
};

/** What a backup takes of the source; the first option that says something of a path decides. */
export const selectionOptions: readonly OptionSpec[] = [
  ...(
    [
      [
        'include',
        'text',
        'PATTERN',
        'take what PATTERN matches (*, ?, [], ** across folders) with all below it',
      ],
      [
        'exclude',
        'text',
        'PATTERN',
        'leave out what PATTERN matches; it begins as SOURCE is written, or with **',
      ],
      [
        'include-filelist',
        'path',
        'FILE',
        'take what the patterns in the lines of FILE match; "- " excludes',
      ],
      [
        'exclude-filelist',
        'path',
        'FILE',
        'leave out what the patterns in the lines of FILE match; "+ " includes',
      ],
      ['include-filelist-stdin', 'flag', undefined, 'as --include-filelist, from standard input'],
      ['exclude-filelist-stdin', 'flag', undefined, 'as --exclude-filelist, from standard input'],
      ['include-regexp', 'text', 'REGEXP', 'take paths in which the regular expression is found'],
      ['exclude-regexp', 'text', 'REGEXP', 'leave out paths in which the regular expression is found'],
      ['exclude-if-present', 'text', 'NAME', 'leave out folders that hold a file NAME'],
      ['exclude-older-than', 'time', 'TIME', 'leave out files that were last changed before TIME'],
      ['exclude-other-filesystems', 'flag', undefined, 'stay on the file system of SOURCE'],
      ['exclude-device-files', 'flag', undefined, 'leave out device files'],
      ['files-from', 'path', 'FILE', 'take only what FILE lists, relative to SOURCE'],
      ['filter-globbing', 'flag', undefined, 'read the patterns that follow as above'],
      ['filter-literal', 'flag', undefined, 'read the patterns that follow as paths'],
      ['filter-regexp', 'flag', undefined, 'read the patterns that follow as regular expressions'],
      ['filter-ignorecase', 'flag', undefined, 'let case not matter in the patterns that follow'],
      ['filter-strictcase', 'flag', undefined, 'let case matter in the patterns that follow'],
    ] as const
  ).map(
    ([long, kind, value, help]): OptionSpec => ({
      ...{ long, kind, help, ordered: true, ...takers },
      ...(value !== undefined && { value }),
      ...(long.endsWith('clude-filelist') && { aliases: [long.replace('-', '-globbing-')] }),
    }),
  ),
  {
    long: 'null-separator',
    kind: 'flag',
    help: 'entries of lists end with a NUL byte instead of a line end',
    ...takers,
  },
];
