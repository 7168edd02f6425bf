import { roundRobin } from './round-robin.ts';
import type { Strategy } from './strategy.ts';

/** The next in turn, for the length of an interval. That it is kept so long is decided before. */
export const timeBased: Strategy = { ...roundRobin, reason: 'is next in turn, for an interval' };
