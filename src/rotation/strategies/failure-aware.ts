import { failuresText, type Strategy } from './strategy.ts';

/** So many draws are tried; then the most trusted of those that were drawn is taken. */
const DRAWS = 16;

/**
 * Any, as likely as it is trusted: by its recent share of successes, halved for each failure in a row. Every proxy is still tried now
 * and then.
 */
export const failureAware: Strategy = {
  reason: 'was drawn by its recent successes',
  pick({ candidates, index: { measures }, now, random }) {
    let best = -1;
    let highest = -1;
    for (let draw = 0; draw < DRAWS; draw++) {
      const slot = candidates.any(random);
      if (slot === -1) return -1;
      const trust = measures.trust(slot, now);
      if (random() < trust) return slot;
      if (trust <= highest) continue;
      highest = trust;
      best = slot;
    }
    return best;
  },
  rank: (slot, { index, now }) => -index.measures.trust(slot, now),
  describe(slot, { index: { measures }, now }) {
    const failures = measures.failures(slot);
    const rate = Math.round(measures.successRate(slot, now));
    // Also of one that was never used.
    if (rate === 100 && failures === 0) return 'no recent failures';
    return [`${rate} % of recent requests succeeded`, ...failuresText(failures)].join(', ');
  },
};
