import { random } from './random.ts';
import { roundRobin } from './round-robin.ts';
import type { Situation, Strategy } from './strategy.ts';

const rendezvous: Strategy = {
  reason: 'is the one that this key has by rendezvous hashing',
  pick: ({ candidates, key }) => (key === null ? -1 : candidates.forKey(key)),
  rank: () => 0,
  describe: () => 'another key may have it',
};

/** Chooses for a session or domain that has no proxy yet. That it keeps its proxy is decided before. */
export const stickySession: Strategy = {
  reason: 'is the first of this session or domain',
  pick: (situation) => inner(situation).pick(situation),
  rank: (slot, situation) => inner(situation).rank(slot, situation),
  describe: (slot, situation) => inner(situation).describe(slot, situation),
};

/** Without a session and a domain there is nothing to hash. */
function inner({ key, settings: { stickyChoice } }: Situation): Strategy {
  if (stickyChoice === 'random') return random;
  return stickyChoice === 'round-robin' || key === null ? roundRobin : rendezvous;
}
