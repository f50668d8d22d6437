/**
 * Putting an object without a temporary file: one request for what fits into a part, else a multipart upload. An object
 * appears whole or not at all.
 */

import { randomUUID } from 'node:crypto';
import type { Chunks } from '../streams.ts';
import { isTaken } from './s3-errors.ts';
import { putParts } from './s3-multipart.ts';
import { storageClassOf } from './s3-options.ts';
import { gather } from './s3-parts.ts';
import {
  checkSize,
  headAfterPut,
  newSums,
  onCondition,
  sendVerified,
  signedWith,
  UPLOAD_MARK,
  type Uploads,
} from './s3-proof.ts';
import { type PutOptions, takenError } from './storage.ts';

/** @returns bytes stored. @throws BackupError, what `source` throws, the signal's reason */
export async function putObject(
  uploads: Uploads,
  name: string,
  key: string,
  source: Chunks | Uint8Array,
  { signal, kind = 'volume', isNew = false, after }: PutOptions,
): Promise<number> {
  const { session, slabs, slots } = uploads;
  const StorageClass = storageClassOf(session.options.storageClass, kind);
  const object = {
    Bucket: session.bucket,
    Key: key,
    ...session.encryption,
    ...(StorageClass === undefined ? {} : { StorageClass }),
  };
  const leave = await slots.enter(); // a slab for the first part is taken when those of earlier objects are on their way
  const parts = gather(source, slabs, signal);
  const first = await parts.next().catch(error => {
    leave();
    throw error;
  });
  if (first.done) throw new Error('no part'); // gather() yields at least one
  if (!first.value.last)
    return putParts(uploads, name, { ...object, isNew, after }, first.value, leave, parts, signal);
  leave(); // what it waits for may need it, and it takes none of the memory that is counted in parts
  await after;

  const { bytes, release } = first.value;
  const about = { what: { doing: 'store', object: name }, sums: newSums(session), signal };
  const mark = randomUUID();
  const fields = isNew ? { ...object, Metadata: { [UPLOAD_MARK]: mark } } : object;
  const send = (isConditional: boolean) =>
    sendVerified(uploads, first.value, about, (client, body, options) =>
      onCondition(isConditional, condition => {
        const command = new session.sdk.PutObjectCommand({ ...fields, ...body, ...condition });
        command.middlewareStack.add(signedWith(first.value.sha256), { step: 'build' });
        return client.send(command, options);
      }),
    );
  const { tries, isProved } = await send(isNew).catch(async error => {
    if (!isNew || !isTaken(error)) throw error;
    const found = await headAfterPut(session, name, object, signal);
    if (found?.Metadata?.[UPLOAD_MARK] !== mark) throw takenError(name, session.description);
    return { ...(await send(false)), tries: 2 }; // an earlier attempt of ours, of which nobody knows how it ended
  });
  if (tries === 1) release();
  if (!isProved) {
    const found = await headAfterPut(session, name, object, signal);
    if (found) await checkSize(session, name, object, found, bytes.length, signal);
  }
  return bytes.length;
}
