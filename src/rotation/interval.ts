import { STRATEGY_DEFAULTS, type StrategySettings } from '../model/strategy-settings.ts';

/** 9999-12-31T23:59:59.999Z: later times cannot be stored. */
const LAST_TIME = 253_402_300_799_999;

type Interval = Pick<StrategySettings, 'intervalMs' | 'jitterMs' | 'minIntervalMs' | 'maxIntervalMs'>;

/**
 * When an interval that began at `since` ends: after its length, longer or shorter by at most the jitter, each length as likely as
 * the others, and within the bounds.
 *
 * @param random a number from 0, inclusive, to 1, exclusive.
 */
export function intervalEnd(since: number, settings: Interval, random: () => number): number {
  const { intervalMs, jitterMs, minIntervalMs, maxIntervalMs } = settings;
  const length = (intervalMs ?? STRATEGY_DEFAULTS.intervalMs) + Math.round((2 * random() - 1) * jitterMs);
  const bounded = Math.min(Math.max(length, minIntervalMs), maxIntervalMs);
  return Math.min(since + bounded, LAST_TIME);
}
