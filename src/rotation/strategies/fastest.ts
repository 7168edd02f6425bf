import type { Strategy } from './strategy.ts';

/** The one with the lowest mean latency. */
export const fastest: Strategy = (pool) => pool.fastest();
