import type { OptionSpec } from '../option-spec.ts';

/** Profiles: when they run, how that is told, and the page for the day when all else is gone. */
export const profileOptions: readonly OptionSpec[] = [
  {
    long: 'every',
    kind: 'text',
    value: 'TIME',
    help: 'when it runs: "Mon 21:15", "daily 03:30", "hourly" (as the profile says)',
    actions: ['schedule'],
  },
  {
    long: 'print',
    kind: 'flag',
    help: 'only show what would be installed',
    actions: ['schedule'],
  },
  {
    long: 'kind',
    kind: 'text',
    value: 'KIND',
    help: 'systemd, cron.d or crontab (what the host has)',
    actions: ['schedule'],
  },
  {
    long: 'max-age',
    kind: 'text',
    value: 'INTERVAL',
    help: 'the last success is too old after that, for example 8D (as the profile says)',
    actions: ['status'],
  },
  {
    long: 'metrics-file',
    kind: 'path',
    value: 'FILE',
    help: "write the state for Prometheus's node_exporter to FILE (as the profile says)",
    actions: ['run', 'status'],
  },
  {
    long: 'with-secrets',
    kind: 'flag',
    help: 'let the page hold the passphrase, private keys and S3 credentials',
    actions: ['recovery-kit'],
  },
  {
    long: 'output',
    kind: 'path',
    value: 'FILE',
    help: 'write the page to FILE, which must not exist yet (standard output)',
    actions: ['recovery-kit'],
  },
];
