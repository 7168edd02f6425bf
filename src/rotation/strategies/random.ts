import type { Strategy } from './strategy.ts';

/** Any, each as likely as the others. */
export const random: Strategy = {
  reason: 'was drawn at random',
  pick: ({ candidates, random: draw }) => candidates.any(draw),
  rank: () => 0,
  describe: (_slot, _situation, place) => (place === 1 ? '' : 'as likely as the others'),
};
