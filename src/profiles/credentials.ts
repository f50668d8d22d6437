/** A profile's S3 credentials, handed to the SDK where it looks for them first. */

import type { Environment } from './places.ts';
import type { Profile } from './profile.ts';
import { readSecretText, type SecretSource } from './secrets.ts';

/**
 * @param environment is written to, unless it has credentials of its own
 * @param signal ends the waiting for them; its reason is thrown
 * @throws BackupError `usage`
 */
export async function provideCredentials(
  { s3 }: Profile,
  environment: Environment & Record<string, string | undefined>,
  signal?: AbortSignal,
): Promise<void> {
  if (!s3) return;
  const { 'access-key-id': id, 'secret-access-key': secret, profile } = s3;
  if (id !== undefined && secret !== undefined && environment.AWS_ACCESS_KEY_ID === undefined) {
    environment.AWS_ACCESS_KEY_ID = id as string;
    environment.AWS_SECRET_ACCESS_KEY = await readSecretText(secret as SecretSource, environment, signal);
  }
  if (profile !== undefined) environment.AWS_PROFILE ??= profile as string;
}
