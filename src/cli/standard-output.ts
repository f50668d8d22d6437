/** Whether what a run prints comes through. */

import { BackupError, messageOf, systemCode } from '../errors.ts';

export interface OutputWatch {
  /** Waits until all that was printed is written. @returns what was in the way, unless nobody wants more */
  loss(): Promise<BackupError | undefined>;
  close(): void;
}

/** @param onError told once: of what was in the way, or of nothing if nobody wants more */
export function watchOutput(
  stream: NodeJS.WritableStream,
  onError: (loss: BackupError | undefined) => void,
): OutputWatch {
  let loss: BackupError | undefined;
  const failed = (error: Error) => {
    if (systemCode(error) !== 'EPIPE') loss = cannotWrite(error);
    onError(loss);
  };
  stream.once('error', failed);
  return {
    async loss() {
      await new Promise<void>(resolve => {
        stream.write('', () => setImmediate(resolve)); // an error is told after the call
      });
      return loss;
    },
    close: () => void stream.off('error', failed),
  };
}

/** What to tell of it. */
export function cannotWrite(error: unknown): BackupError {
  const text = `can't write to standard output: ${messageOf(error)}`;
  return new BackupError('local-io', text, {}, { cause: error });
}
