import { counted, type Strategy } from './strategy.ts';

/** The one that was handed out least often; of equal ones the first in the order of ids. */
export const leastUsed: Strategy = {
  reason: 'was handed out least often',
  pick: ({ candidates }) => candidates.leastUsed(),
  rank: (slot, { index }) => index.measures.handOuts(slot),
  describe: (slot, { index }) => counted(index.measures.handOuts(slot), 'hand-out'),
};
