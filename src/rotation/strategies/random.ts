import type { Strategy } from './strategy.ts';

/** Any, each as likely as the others. */
export const random: Strategy = (pool, { random: draw }) => pool.sample(draw);
