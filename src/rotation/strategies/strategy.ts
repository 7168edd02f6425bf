import type { ProxyConfig } from '../../model/proxy.ts';
import type { Pool } from '../pool.ts';

/** What a strategy may know beside the pool. */
interface Situation {
  /** The id that was handed out last; empty before the first. */
  previousId: string;
  /** A number from 0, inclusive, to 1, exclusive. */
  random: () => number;
}

/** Chooses the next proxy; null if the pool has none. A pure function: all that it knows it is given. */
export type Strategy = (pool: Pool, situation: Situation) => ProxyConfig | null;
