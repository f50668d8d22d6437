import { type OptionSpec, placed } from '../option-spec.ts';

/** Where an archive and what belongs to it are found. */
export const placeOptions: readonly OptionSpec[] = [
  {
    long: 'profile',
    kind: 'text',
    typedOnly: true,
    value: 'NAME',
    help: 'take source, URL and options that are not given from this profile (see tsbackup init)',
    actions: placed,
  },
  {
    long: 'archive-dir',
    kind: 'path',
    value: 'DIR',
    help: 'where manifests and signatures are kept ($XDG_CACHE_HOME/tsbackup or ~/.cache/tsbackup)',
  },
  {
    long: 'name',
    kind: 'text',
    value: 'NAME',
    help: 'sub-folder of the archive dir (a hash of URL)',
  },
  {
    long: 'tempdir',
    kind: 'path',
    value: 'DIR',
    help: 'for temporary files ($TMPDIR or /tmp)',
  },
  {
    long: 'file-prefix',
    kind: 'text',
    value: 'TEXT',
    help: 'begin every object name at the target with TEXT',
  },
  ...(['archive', 'manifest', 'signature', 'jsonstat'] as const).map(
    (kind): OptionSpec => ({
      long: `file-prefix-${kind}`,
      kind: 'text',
      value: 'TEXT',
      help: `begin names of ${kind === 'archive' ? 'volumes' : kind === 'jsonstat' ? "duplicity's statistics" : `${kind}s`} with TEXT, after what --file-prefix says`,
    }),
  ),
];
