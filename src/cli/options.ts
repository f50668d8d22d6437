/**
 * All options of the command line as data, in the groups in which they are told of. The parser, the help text, the
 * manual page, the completions and the documentation are made from this table.
 */

import type { OptionGroup, OptionSpec } from './option-spec.ts';
import { backupOptions } from './options/backup.ts';
import { encryptionOptions } from './options/encryption.ts';
import { placeOptions } from './options/places.ts';
import { profileOptions } from './options/profiles.ts';
import { readingOptions } from './options/reading.ts';
import { removalOptions } from './options/removal.ts';
import { runningOptions } from './options/running.ts';
import { s3Options } from './options/s3.ts';
import { selectionOptions } from './options/selection.ts';

export const optionGroups: readonly OptionGroup[] = [
  { title: 'Choosing what is backed up', options: selectionOptions },
  { title: 'Backing up', options: backupOptions },
  { title: 'Reading an archive', options: readingOptions },
  { title: 'Keeping and removing', options: removalOptions },
  { title: 'Profiles', options: profileOptions },
  { title: 'Passphrases and keys', options: encryptionOptions },
  { title: 'The run and what it says', options: runningOptions },
  { title: 'Places', options: placeOptions },
  { title: 'S3 buckets', options: s3Options },
];

export const options: readonly OptionSpec[] = optionGroups.flatMap(group => group.options);

/** Those that a profile may name, though some are refused there. */
export const optionNames: readonly string[] = options.flatMap(({ long, kind, aliases = [], hidden }) =>
  hidden || long === 'profile' || kind === 'pair' ? [] : [long, ...aliases],
);
