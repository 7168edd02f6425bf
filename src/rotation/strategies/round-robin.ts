import type { Strategy } from './strategy.ts';

/** Each in turn. */
export const roundRobin: Strategy = {
  reason: 'is next in turn',
  pick: ({ candidates, previous }) => candidates.after(previous),
  rank: (slot, { previous, index }) => (slot > previous ? slot : slot + index.end) - previous,
  describe: (_slot, _situation, place) => (place === 1 ? '' : `${ordinal(place)} in turn`),
};

function ordinal(place: number): string {
  return `${place}${['th', 'st', 'nd', 'rd'][place] ?? 'th'}`;
}
