import fc from 'fast-check';
import { expect, it } from 'vitest';
import { STRATEGY_DEFAULTS } from '../../src/model/strategy-settings.ts';
import { intervalEnd } from '../../src/rotation/interval.ts';

const PLAIN = { ...STRATEGY_DEFAULTS, intervalMs: 1000 };

it('an interval ends after its length, which is ten minutes by default', () => {
  expect(intervalEnd(5, PLAIN, () => 0.9)).toBe(1005);
  expect(intervalEnd(5, { ...PLAIN, intervalMs: null }, () => 0.1)).toBe(600_005);
});

it('jitter makes it longer or shorter, evenly around its length', () => {
  const ends = [0, 0.25, 0.5, 0.75, 1].map((drawn) =>
    intervalEnd(0, { ...PLAIN, jitterMs: 100 }, () => drawn),
  );
  expect(ends).toEqual([900, 950, 1000, 1050, 1100]);
});

it('it is within its bounds, whatever the jitter, and at least a millisecond', () => {
  const settings = { ...PLAIN, jitterMs: 5000, minIntervalMs: 800, maxIntervalMs: 1200 };
  expect([0, 0.5, 1].map((drawn) => intervalEnd(0, settings, () => drawn))).toEqual([800, 1000, 1200]);
  expect(intervalEnd(0, { ...PLAIN, jitterMs: 5000 }, () => 0)).toBe(1);
});

it('it ends at a time that can be stored', () => {
  const positive = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(
      positive,
      positive,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (intervalMs, jitterMs, drawn) => {
        const end = intervalEnd(1_700_000_000_000, { ...PLAIN, intervalMs, jitterMs }, () => drawn);
        expect(end).toBeGreaterThan(1_700_000_000_000);
        expect(new Date(end).toISOString()).toMatch(/^\d{4}-/);
      },
    ),
  );
});
