import type { Strategy } from './strategy.ts';

/** The one with the fewest requests; of equal ones the one handed out longest ago. */
export const leastUsed: Strategy = (pool) => pool.leastUsed();
