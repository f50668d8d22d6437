import { actions } from '../actions.ts';
import { backups, type OptionSpec, removals } from '../option-spec.ts';

/** Removals go by names alone, and a copy is made byte for byte: neither opens anything. */
const openers = actions
  .map(({ action }) => action)
  .filter(action => action !== 'replicate' && !removals.includes(action));

/** Passphrases and keys. */
export const encryptionOptions: readonly OptionSpec[] = (
  [
    {
      long: 'no-encryption',
      kind: 'flag',
      help: 'plain volumes, which everybody can read',
      actions: [...backups, 'restore', 'verify', 'check', 'collection-status', 'list-current-files'],
    },
    {
      long: 'passphrase-file',
      kind: 'path',
      value: 'FILE',
      help: 'read the passphrase from the first line of FILE',
    },
    {
      long: 'passphrase-command',
      kind: 'text',
      value: 'COMMAND',
      help: 'read the passphrase from the first line that the shell command COMMAND prints',
    },
    {
      long: 'encrypt-key',
      kind: 'text',
      value: 'KEY',
      repeatable: true,
      help: "encrypt to the owner of KEY instead of with a passphrase: an id in gpg's keyring, an e-mail address, or a key file; may be repeated",
    },
    {
      long: 'hidden-encrypt-key',
      kind: 'text',
      value: 'KEY',
      repeatable: true,
      help: 'as --encrypt-key, without telling for whom',
    },
    {
      long: 'sign-key',
      kind: 'text',
      value: 'KEY',
      help: 'sign every object; restore and verify accept only what KEY has signed',
    },
    {
      long: 'encrypt-sign-key',
      kind: 'text',
      value: 'KEY',
      help: 'encrypt to KEY and sign with it',
    },
    {
      long: 'encrypt-secret-keyring',
      aliases: ['decrypt-key'],
      kind: 'path',
      value: 'FILE',
      repeatable: true,
      help: 'a file with the private key; without it gpg is asked for session keys',
    },
    {
      long: 'use-agent',
      kind: 'flag',
      help: "let gpg's agent ask for the passphrases of its keys",
    },
    {
      long: 'gpg-binary',
      kind: 'path',
      value: 'FILE',
      help: 'the gpg that is asked (gpg)',
    },
    {
      long: 'gpg-options',
      kind: 'text',
      value: 'OPTIONS',
      repeatable: true,
      help: 'what old scripts tell gpg; understood as far as it means something here',
    },
  ] satisfies OptionSpec[]
).map((option: OptionSpec) => ({ actions: openers, ...option }));
