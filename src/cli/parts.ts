/** What the bundle holds: the program and its threads, each run by being loaded. */

export const parts = {
  cli: () => import('../cli.ts'),
  'pack-worker': () => import('../engine/pack-worker.ts'),
  'restore-worker': () => import('../engine/restore-worker.ts'),
  'seal-worker': () => import('../engine/seal-worker.ts'),
  'warm-up': () => import('./warm-up.ts'),
};
