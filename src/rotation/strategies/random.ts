import type { Strategy } from './strategy.ts';

/** Any, each as likely as the others. */
export const random: Strategy = (pool, situation) => pool.at(Math.floor(situation.random() * pool.count()));
