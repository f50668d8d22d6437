/** Asks a person, line by line: on a terminal, or of a script that writes answers to standard input. */

import { createInterface, type Interface } from 'node:readline';
import { BackupError } from '../errors.ts';
import { askOnTerminal } from './passphrase.ts';

export interface Questions {
  /** Whether somebody sits there who can think of another answer. */
  readonly isPerson: boolean;
  /** @param otherwise what an empty answer means */
  ask(question: string, otherwise?: string): Promise<string>;
  /** Asks until `read` does not throw; what it throws is told. */
  askFor<T>(
    question: string,
    otherwise: string | undefined,
    read: (answer: string) => T | Promise<T>,
  ): Promise<T>;
  /** Without echo. */
  askHidden(question: string): Promise<string>;
  say(text: string): void;
  close(): void;
}

/** @param signal ends a question: what waits for its answer then throws the signal's reason */
export function createQuestions(
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Questions {
  const waiting: string[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let lines: Interface | undefined;
  const interrupt = () => wake?.();
  signal.addEventListener('abort', interrupt);
  const open = (): Interface => {
    // Lines may come all at once; none must be lost between two questions.
    const reader = createInterface({ input, output, terminal: false });
    reader.on('line', line => {
      waiting.push(line);
      wake?.();
    });
    reader.on('close', () => {
      ended = true;
      wake?.();
    });
    return reader;
  };
  const nextLine = async (): Promise<string> => {
    lines ??= open();
    while (waiting.length === 0) {
      if (signal.aborted) {
        output.write('\n');
        throw signal.reason;
      }
      if (ended) {
        if (input.isTTY) output.write('\n');
        throw new BackupError('usage', 'there is no answer: standard input has ended');
      }
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
    return waiting.shift()!;
  };
  const questions: Questions = {
    isPerson: input.isTTY,
    async ask(question, otherwise) {
      output.write(`${question}${otherwise === undefined || otherwise === '' ? '' : ` [${otherwise}]`}: `);
      const answer = (await nextLine()).trim();
      if (!input.isTTY) output.write('\n');
      return answer === '' ? (otherwise ?? '') : answer;
    },
    async askFor(question, otherwise, read) {
      for (;;) {
        const answer = await questions.ask(question, otherwise);
        try {
          return await read(answer);
        } catch (error) {
          // A script would give the same answer for ever.
          if (!(error instanceof BackupError) || !input.isTTY || signal.aborted) throw error;
          output.write(`${error.message}\n`);
        }
      }
    },
    async askHidden(question) {
      if (!input.isTTY) {
        output.write(`${question}: \n`);
        return nextLine();
      }
      lines?.pause(); // one of two readers of a terminal would get what is meant for the other
      const typed = await askOnTerminal(`${question}: `, signal);
      lines?.resume();
      return Buffer.from(typed ?? '').toString('utf8');
    },
    say: text => void output.write(`${text}\n`),
    close() {
      signal.removeEventListener('abort', interrupt);
      lines?.close();
    },
  };
  return questions;
}
