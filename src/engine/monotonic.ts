/** Milliseconds that only ever grow. To ask `performance` for them would load a module of 3 ms for every run. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
