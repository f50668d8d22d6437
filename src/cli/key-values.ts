/** Key options → keys as they were named, and what `--gpg-options` has to say besides. */

import type { KeyChoice } from '../commands/host.ts';
import type { OptionValue } from './parse.ts';

export interface KeyValues {
  readonly choice: KeyChoice | undefined;
  /** What `--gpg-options` say of compression; undefined if nothing. */
  readonly compress?: boolean | undefined;
  readonly level?: number | undefined;
  /** What does nothing here, in sentences. */
  readonly notices: readonly string[];
}

/** @throws BackupError `usage` */
export async function keyValues(values: Readonly<Record<string, OptionValue>>): Promise<KeyValues> {
  const texts = (name: string) => (values[name] ?? []) as readonly string[];
  const text = (name: string) => values[name] as string | undefined;
  const both = text('encrypt-sign-key');
  const spoken = texts('gpg-options').join(' ');
  const { used, ignored, unsupported } = await gpgOptions(spoken);
  const named = [...texts('encrypt-key'), ...(both === undefined ? [] : [both]), ...used.encryptKeys];
  const hidden = [...texts('hidden-encrypt-key'), ...used.hiddenEncryptKeys];
  const names = used.hideRecipients
    ? { visible: [], hidden: [...named, ...hidden] }
    : { visible: named, hidden };
  const binary = text('gpg-binary');
  const choice: KeyChoice = {
    encryptKeys: names.visible,
    hiddenEncryptKeys: names.hidden,
    signKey: text('sign-key') ?? both,
    secretKeyFiles: texts('encrypt-secret-keyring'),
    useAgent: values['use-agent'] === true,
    gpg: { ...used.gpg, ...(binary !== undefined && { binary }) },
    hash: used.hash,
    s2kCount: used.s2kCount,
  };
  const isNamed = [
    'encrypt-key',
    'hidden-encrypt-key',
    'sign-key',
    'encrypt-sign-key',
    'encrypt-secret-keyring',
  ]
    .concat(['use-agent', 'gpg-binary', 'gpg-options'])
    .some(name => values[name] !== undefined);
  return {
    choice: isNamed ? choice : undefined,
    compress: used.compress,
    level: used.level,
    notices: [
      ...ignored.map(({ option, why }) => `${option} in --gpg-options is ignored: ${why}.`),
      ...unsupported.map(({ option, why }) => `${option} in --gpg-options is not supported: ${why}.`),
    ],
  };
}

async function gpgOptions(text: string) {
  if (text === '')
    return { used: { encryptKeys: [], hiddenEncryptKeys: [], gpg: {} }, ignored: [], unsupported: [] };
  const { parseGpgOptions } = await import('../keys/gpg-options.ts');
  return parseGpgOptions(text);
}
