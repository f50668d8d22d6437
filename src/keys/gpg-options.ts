/**
 * `--gpg-options` of old scripts: what gpg would have been told, as far as it means something to us. Values are never
 * repeated in what is said about an option: some of them are passphrases.
 */

import { BackupError } from '../errors.ts';
import { hashIds } from '../volumes/openpgp-s2k.ts';
import type { GpgOptions } from './gpg.ts';

export interface GpgSettings {
  /** False: content is stored as it is. */
  readonly compress?: boolean;
  /** Of deflate, 1 to 9. */
  readonly level?: number;
  /** OpenPGP's id of the hash in signatures. */
  readonly hash?: number;
  /** Octets that are hashed to make a key of a passphrase; from 1024. */
  readonly s2kCount?: number;
  /** All recipients are hidden. */
  readonly hideRecipients?: boolean;
  /** More keys to encrypt to, as they were typed. */
  readonly encryptKeys: readonly string[];
  readonly hiddenEncryptKeys: readonly string[];
  /** For calls of gpg. */
  readonly gpg: Pick<GpgOptions, 'homedir' | 'arguments' | 'encryptTo'>;
}

/** An option that does nothing here, in words: `--armor: objects are always binary`. */
export interface GpgOptionNote {
  readonly option: string;
  readonly why: string;
}

export interface ParsedGpgOptions {
  readonly used: GpgSettings;
  /** What the user need not miss. */
  readonly ignored: readonly GpgOptionNote[];
  /** What the user wanted and does not get. */
  readonly unsupported: readonly GpgOptionNote[];
}

/** What holds anyway; not worth a word. */
const satisfied = new Set(
  `batch no-tty quiet q yes verbose v no-verbose no-greeting no-secmem-warning no-permission-warning no-mdc-warning
  force-mdc always-trust use-agent no-use-agent no-throw-keyids no-armor no-comments no-emit-version emit-version
  no-symkey-cache no-auto-check-trustdb lock-once lock-multiple lock-never gnupg openpgp rfc4880 expert
  no-random-seed-file no-escape-from-lines utf8-strings`.split(/\s+/),
);
const satisfiedWithValue = new Set(
  'pinentry-mode trust-model display-charset charset comment set-filename compliance status-fd logger-fd'.split(
    ' ',
  ),
);

const ignored: Readonly<Record<string, string>> = {
  armor: 'objects are always binary',
  a: 'objects are always binary',
};
const ignoredWithValue: Readonly<Record<string, string>> = {
  's2k-digest-algo': 'passphrases are hashed with SHA-256',
  'personal-cipher-preferences': 'AES-256 is used',
  'personal-digest-preferences': 'signatures use SHA-256, or what --digest-algo says',
  'personal-compress-preferences': 'ZIP is used',
  'cert-digest-algo': 'no certificates are made',
  'bzip2-compress-level': 'BZip2 is not used',
  'auto-key-locate': 'keys are not searched for in the network',
  keyserver: 'keys are not searched for in the network',
};

const unsupported: Readonly<Record<string, string>> = {
  'ignore-mdc-error': 'what is damaged is never taken for good',
  'disable-mdc': 'objects always have an integrity check',
  'no-compress': 'use --no-compression',
  sign: 'use --sign-key',
  symmetric: 'leave out --encrypt-key to encrypt with the passphrase',
  'default-recipient-self': 'use --encrypt-key',
};
const unsupportedWithValue: Readonly<Record<string, string>> = {
  passphrase: 'use --passphrase-file, or the variable PASSPHRASE',
  'passphrase-file': "use our own option --passphrase-file outside of gpg's",
  'passphrase-fd': 'use --passphrase-file, or the variable PASSPHRASE',
  'local-user': 'use --sign-key',
  u: 'use --sign-key',
  'default-key': 'use --sign-key',
  'default-recipient': 'use --encrypt-key',
  'secret-keyring': 'use --encrypt-secret-keyring',
};

/** Handed on to gpg where we ask it. */
const handedOn = new Set(['no-default-keyring', 'no-options']);
const handedOnWithValue = new Set(['keyring', 'primary-keyring', 'options', 'agent-program', 'trustdb-name']);

const digests: Readonly<Record<string, number>> = {
  SHA256: hashIds.sha256,
  SHA384: hashIds.sha384,
  SHA512: hashIds.sha512,
  H8: hashIds.sha256,
  H9: hashIds.sha384,
  H10: hashIds.sha512,
};

/** @throws BackupError `usage` for an open quote or an option without its value */
export function parseGpgOptions(text: string): ParsedGpgOptions {
  const words = splitWords(text);
  let settings: Omit<GpgSettings, 'encryptKeys' | 'hiddenEncryptKeys' | 'gpg'> = {};
  let homedir: string | undefined;
  let encryptTo = true;
  const args: string[] = [];
  const encryptKeys: string[] = [];
  const hiddenEncryptKeys: string[] = [];
  const notes = { ignored: [] as GpgOptionNote[], unsupported: [] as GpgOptionNote[] };

  for (let at = 0; at < words.length; at++) {
    const [, long, short, joined] = /^(?:--([^=]+)|-([^-]))(?:=?([\s\S]*))?$/.exec(words[at]!) ?? [];
    const name = long ?? short ?? '';
    const option = long === undefined ? `-${name}` : `--${name}`;
    const note = (kind: keyof typeof notes, why: string) => notes[kind].push({ option, why });
    const value = (): string => {
      if (joined) return joined;
      const next = words[++at];
      if (next === undefined) throw new BackupError('usage', `--gpg-options: ${option} needs a value.`);
      return next;
    };

    if (name === '') notes.unsupported.push({ option: 'a word without dash', why: 'it is not an option' });
    else if (satisfied.has(name)) continue;
    else if (satisfiedWithValue.has(name)) value();
    else if (Object.hasOwn(ignored, name)) note('ignored', ignored[name]!);
    else if (Object.hasOwn(ignoredWithValue, name)) {
      value();
      note('ignored', ignoredWithValue[name]!);
    } else if (Object.hasOwn(unsupported, name)) note('unsupported', unsupported[name]!);
    else if (Object.hasOwn(unsupportedWithValue, name)) {
      value();
      note('unsupported', unsupportedWithValue[name]!);
    } else if (handedOn.has(name)) args.push(option);
    else if (handedOnWithValue.has(name)) args.push(option, value());
    else
      switch (name) {
        case 'cipher-algo':
        case 's2k-cipher-algo':
          if (!/^(aes256|s9)$/i.test(value())) note('unsupported', 'AES-256 is used');
          break;
        case 's2k-mode':
          if (value() !== '3') note('unsupported', 'the strongest mode, 3, is used');
          break;
        case 's2k-count': {
          const s2kCount = Number(value());
          if (Number.isInteger(s2kCount) && s2kCount >= 1024) settings = { ...settings, s2kCount };
          else note('unsupported', 'counts are from 1024');
          break;
        }
        case 'compress-algo':
        case 'compression-algo': {
          const algorithm = value().toLowerCase();
          if (/^(none|uncompressed|z?0)$/.test(algorithm)) settings = { ...settings, compress: false };
          else if (!/^(zip|zlib|z?[12])$/.test(algorithm)) note('unsupported', 'ZIP is used');
          break;
        }
        case 'z':
        case 'compress-level': {
          const level = Number(value());
          if (level === 0) settings = { ...settings, compress: false };
          else if (Number.isInteger(level) && level >= 1 && level <= 9) settings = { ...settings, level };
          else note('unsupported', 'levels are 0 to 9');
          break;
        }
        case 'digest-algo': {
          const hash = digests[value().toUpperCase()];
          if (hash === undefined) note('unsupported', 'signatures use SHA-256, SHA-384 or SHA-512');
          else settings = { ...settings, hash };
          break;
        }
        case 'throw-keyids':
        case 'throw-keyid':
          settings = { ...settings, hideRecipients: true };
          break;
        case 'recipient':
        case 'r':
        case 'encrypt-to':
          encryptKeys.push(value());
          break;
        case 'hidden-recipient':
        case 'R':
        case 'hidden-encrypt-to':
          hiddenEncryptKeys.push(value());
          break;
        case 'no-encrypt-to':
          encryptTo = false;
          break;
        case 'homedir':
          homedir = value();
          break;
        default:
          note('unsupported', 'it is not known here');
      }
  }
  const gpg = { homedir, arguments: args, ...(!encryptTo && { encryptTo }) };
  return { used: { ...settings, encryptKeys, hiddenEncryptKeys, gpg }, ...notes };
}

/** As a shell splits, without its expansions. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (const [piece, single, double, escaped] of text.matchAll(
    /'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])|\s+|[\s\S]/g,
  )) {
    if (/^\s+$/.test(piece)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (piece === "'" || piece === '"') {
      throw new BackupError('usage', '--gpg-options: a quote is not closed.');
    } else word = (word ?? '') + (single ?? double?.replace(/\\([\\"$`])/g, '$1') ?? escaped ?? piece);
  }
  return word === undefined ? words : [...words, word];
}
