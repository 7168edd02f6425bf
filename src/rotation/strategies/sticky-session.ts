import { random } from './random.ts';
import { roundRobin } from './round-robin.ts';
import { reasonText, type Situation, type Strategy } from './strategy.ts';

const rendezvous: Strategy = {
  reason: 'was chosen by rendezvous hashing',
  pick: ({ candidates, key }) => (key === null ? -1 : candidates.forKey(key)),
  rank: () => 0,
  describe: (_slot, _situation, place) => (place === 1 ? '' : 'may be the proxy of others'),
};

/** Chooses for a session or domain that has no proxy yet. That it keeps its proxy is decided before. */
export const stickySession: Strategy = {
  reason(slot, situation) {
    const how = reasonText(inner(situation), slot, situation);
    return situation.key === null
      ? `${how}, since the request names no session and no domain`
      : `${how}, and the session or domain will keep it`;
  },
  pick: (situation) => inner(situation).pick(situation),
  rank: (slot, situation) => inner(situation).rank(slot, situation),
  describe: (slot, situation, place) => inner(situation).describe(slot, situation, place),
};

/** Without a session and a domain there is nothing to hash. */
function inner({ key, settings: { stickyChoice } }: Situation): Strategy {
  if (stickyChoice === 'random') return random;
  return stickyChoice === 'round-robin' || key === null ? roundRobin : rendezvous;
}
