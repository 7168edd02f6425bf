import { failuresText, type Strategy } from './strategy.ts';

/**
 * Of two at random the cheaper one, by latency × (requests in flight + 1): so the fastest get most requests, and never all of them.
 * M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001.
 */
export const fastest: Strategy = {
  reason: 'is the faster of two that were drawn at random',
  pick({ candidates, index: { measures }, now, random }) {
    const first = candidates.any(random);
    if (first === -1) return -1;
    const second = candidates.any(random);
    return measures.cost(second, now) < measures.cost(first, now) ? second : first;
  },
  rank: (slot, { index, now }) => index.measures.cost(slot, now),
  describe(slot, { index: { measures }, now }) {
    const latency = measures.latency(slot);
    const speed = latency === null ? 'latency not measured yet' : `${Math.round(latency)} ms`;
    const inFlight = `${Math.round(measures.inFlight(slot, now))} in flight`;
    return [speed, inFlight, ...failuresText(measures.failures(slot))].join(', ');
  },
};
