/** What another thread answers, in the order in which it was asked. */
export interface Answers<T> {
  /** The answer to what it is being asked now. */
  next(): Promise<T>;
  /** One has come; without anybody who waits it is dropped. */
  give(answer: T): void;
  /** None comes any more to those who wait. */
  fail(error: Error): void;
}

export function createAnswers<T>(): Answers<T> {
  const waiting: { resolve(answer: T): void; reject(error: Error): void }[] = [];
  return {
    next: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
      }),
    give: answer => waiting.shift()?.resolve(answer),
    fail(error) {
      for (const { reject } of waiting.splice(0)) reject(error);
    },
  };
}
