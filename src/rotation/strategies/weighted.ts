import type { Strategy } from './strategy.ts';

/** Any, as likely as the share of its weight. */
export const weighted: Strategy = {
  reason: 'was drawn by its weight',
  pick: ({ candidates, random }) => candidates.weighted(random),
  rank: (slot, { index }) => -(index.columns.weight[slot] as number),
  describe: (slot, { index }) => `weight ${Number((index.columns.weight[slot] as number).toPrecision(6))}`,
};
