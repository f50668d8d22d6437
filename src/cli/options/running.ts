import { backups, type OptionSpec, readers, removals } from '../option-spec.ts';

/** How a run goes and what it says: most actions have these. */
export const runningOptions: readonly OptionSpec[] = [
  {
    long: 'force',
    kind: 'flag',
    typedOnly: true,
    help: 'really remove; or restore into a folder that is not empty',
    actions: ['restore', ...removals],
  },
  {
    long: 'dry-run',
    kind: 'flag',
    typedOnly: true,
    help: 'only show what would be done: nothing is stored, restored or removed',
    actions: [...backups, ...removals, ...readers, 'collection-status', 'replicate'],
  },
  {
    long: 'progress',
    kind: 'flag',
    help: 'show how far it is: a bar on a terminal, else a line a minute',
    actions: [...backups, 'restore', 'verify', 'check'],
  },
  {
    long: 'json',
    kind: 'flag',
    help: 'print JSON Lines for programs instead of text; see docs/json.md',
  },
  {
    long: 'verbosity',
    short: 'v',
    kind: 'verbosity',
    value: 'LEVEL',
    help: '0-9 or error, warning, notice, info, debug (notice)',
  },
  {
    long: 'log-file',
    kind: 'path',
    value: 'FILE',
    help: 'write a log as well: each event with its time, notices and below at least to level info',
  },
  {
    long: 'log-max-size',
    kind: 'text',
    value: 'BYTES',
    help: 'begin a new log file after so much (1M)',
  },
  {
    long: 'log-keep',
    kind: 'count',
    value: 'N',
    help: 'log files that are kept, FILE.1 and so on among them (3)',
  },
  {
    long: 'log-timestamp',
    kind: 'flag',
    help: 'begin each line that tells what happens with the time and its level',
  },
  {
    long: 'log-fd',
    kind: 'count',
    value: 'N',
    help: "write events to file descriptor N, in the form of duplicity's log",
  },
  {
    long: 'duplicity-exit-codes',
    kind: 'flag',
    help: 'exit statuses of duplicity, for scripts that know them',
  },
  {
    long: 'stall-timeout',
    kind: 'count',
    value: 'SECONDS',
    help: 'end a run that makes no progress for so long; 0: never (1800)',
  },
  {
    long: 'current-time',
    kind: 'text',
    value: 'EPOCH',
    help: '',
    hidden: true,
    typedOnly: true,
  },
];
