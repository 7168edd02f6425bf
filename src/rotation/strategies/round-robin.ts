import type { Strategy } from './strategy.ts';

/** Each in turn, in the order they were added. */
export const roundRobin: Strategy = (pool, { previousId }) => pool.after(previousId);
