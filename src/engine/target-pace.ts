/** Whether a backup waits for its target more than for anything of its own: then there is time to compress better. */

export interface TargetPace {
  /** The target has taken what it was given. @param ms since it was given */
  waited(ms: number): void;
  /** Time that went into all else. */
  worked(ms: number): void;
  /** Whether what is deflated next may take a multiple of its time. */
  hasTime(): boolean;
}

/** A target that stalls for a moment, as a disk does that writes, is not slow yet. */
const MEMORY_MS = 10_000;

/** Deflate runs while the target is waited for, so even at five times its cost nothing would be later. */
const MOSTLY = 0.8;

/** @returns one that knows nothing yet: no time to spare */
export function createTargetPace(): TargetPace {
  let share = 0; // of the time gone by, the longer ago the less it counts
  const pass = (ms: number, waiting: 0 | 1) => {
    share += (waiting - share) * (1 - Math.exp(-ms / MEMORY_MS));
  };
  return {
    waited: ms => pass(ms, 1),
    worked: ms => pass(ms, 0),
    hasTime: () => share > MOSTLY,
  };
}
