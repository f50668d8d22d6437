/** What the bundle holds: the program, and what the build does with it; each is run by being loaded. */

export const parts = {
  cli: () => import('../cli.ts'),
  'warm-up': () => import('./warm-up.ts'),
};
