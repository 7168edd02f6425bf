import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom, xoshiro128 } from './seeded-random.ts';
import { chiSquare, expectDistribution, tally, upperGamma } from './statistics.ts';

describe('the chi-square distribution', () => {
  // Upper critical values with three decimals: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4.
  it.each([
    [1, [2.706, 3.841, 5.024, 6.635, 10.828]],
    [2, [4.605, 5.991, 7.378, 9.21, 13.816]],
    [5, [9.236, 11.07, 12.833, 15.086, 20.515]],
    [10, [15.987, 18.307, 20.483, 23.209, 29.588]],
    [30, [40.256, 43.773, 46.979, 50.892, 59.703]],
    [100, [118.498, 124.342, 129.561, 135.807, 149.449]],
  ])('has the critical values of the table with %i degrees of freedom', (degrees, values) => {
    for (const [index, probability] of [0.1, 0.05, 0.025, 0.01, 0.001].entries()) {
      const value = values[index] ?? Number.NaN;
      expect(upperGamma(degrees / 2, (value - 0.0006) / 2)).toBeGreaterThan(probability);
      expect(upperGamma(degrees / 2, (value + 0.0006) / 2)).toBeLessThan(probability);
    }
  });

  it('is exp(-x / 2) with two degrees of freedom, also far out', () => {
    for (const x of [0.001, 0.5, 3.9, 4.1, 30, 200]) {
      const exact = Math.exp(-x / 2);
      expect(Math.abs(upperGamma(1, x / 2) / exact - 1)).toBeLessThan(1e-10);
    }
    expect(upperGamma(1, 0)).toBe(1);
  });

  it('falls from 1 to 0, without a step where the formula changes', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 5000, noNaN: true }), (a) => {
        const [below, above] = [upperGamma(a, a + 1 - 1e-9), upperGamma(a, a + 1 + 1e-9)];
        expect(Math.abs(below - above)).toBeLessThan(1e-8);
        expect(upperGamma(a, a / 2)).toBeGreaterThan(upperGamma(a, a));
      }),
    );
  });
});

describe('a test of goodness of fit', () => {
  // 315 round yellow, 101 wrinkled yellow, 108 round green and 32 wrinkled green peas (Mendel 1866), of which 9 : 3 : 3 : 1 are expected.
  const PEAS = { a: 315, b: 101, c: 108, d: 32 };

  it("finds Mendel's peas", () => {
    const { statistic, degrees, pValue } = chiSquare(PEAS, { a: 9, b: 3, c: 3, d: 1 });
    expect(statistic).toBeCloseTo(0.47, 2);
    expect(degrees).toBe(3);
    expect(pValue).toBeCloseTo(0.925, 3);
    expectDistribution(PEAS, { a: 9, b: 3, c: 3, d: 1 });
  });

  it('shows observed and expected counts of what does not fit, the furthest off first', () => {
    const check = () =>
      expectDistribution(
        { a: 700, b: 300 },
        new Map([
          ['a', 1],
          ['b', 1],
        ]),
      );
    expect(check).toThrow(/^Chi-square is 160\.0 with 1 degrees.* 1\.1e-36, which is less than 0\.000001:/);
    expect(check).toThrow('  a: observed 700, expected 500.0\n  b: observed 300, expected 500.0');
    expect(() => expectDistribution({ a: 50, b: 950, c: 0 }, { a: 1, b: 8, c: 1 })).toThrow(/:\n {2}c: /);
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`n${index}`, index < 15 ? 10 : 90]),
    );
    expect(() =>
      expectDistribution(many, Object.fromEntries(Object.keys(many).map((name) => [name, 1]))),
    ).toThrow('\n  and 10 more');
  });

  it('fails for what must not be drawn, and passes without it', () => {
    expect(() => expectDistribution({ a: 1000, b: 1 }, { a: 1, b: 0 })).toThrow(
      'b: observed 1, expected 0.0',
    );
    expect(() => expectDistribution({ a: 1000, b: 1 }, { a: 1 })).toThrow('Drawn, and expected never');
    expectDistribution({ a: 1000, b: 0 }, { a: 1, c: 0 });
  });

  it('asks for more draws where the test would not be one', () => {
    expect(() => expectDistribution({ a: 40, b: 4 }, { a: 10, b: 1 })).toThrow(
      'Draw more: b is expected 4.00 times',
    );
    expect(() => expectDistribution({}, { a: 1 })).toThrow('Draw more');
  });

  it('takes right counts, and notices a share that is a tenth too large', () => {
    const random = seededRandom();
    const draw = (bias: number) => () => (random() < 0.25 * bias ? 'a' : 'b');
    expectDistribution(tally(40_000, draw(1)), { a: 1, b: 3 });
    expect(() => expectDistribution(tally(40_000, draw(1.1)), { a: 1, b: 3 })).toThrow('Chi-square');
  });

  it('fails as often as its confidence says', () => {
    const random = seededRandom();
    const shares = { a: 1, b: 2, c: 3 };
    const draw = (): string => 'abbccc'.charAt(Math.floor(random() * 6));
    const failures = tally(2000, () =>
      chiSquare(tally(300, draw), shares).pValue < 0.1 ? 'fails' : 'passes',
    );
    // The statistic of whole counts is not quite chi-square: 0.1 is 0.1 within a hundredth or so.
    expect((failures.get('fails') ?? 0) / 2000).toBeGreaterThan(0.06);
    expect((failures.get('fails') ?? 0) / 2000).toBeLessThan(0.14);
  });
});

describe('the seeded generator', () => {
  it('is xoshiro128**', () => {
    // The test vector of the crate rand_xoshiro, for the state 1, 2, 3, 4.
    const next = xoshiro128([1, 2, 3, 4]);
    expect(Array.from({ length: 5 }, next)).toEqual([11520, 0, 5927040, 70819200, 2031721883]);
  });

  it('repeats itself, and differs by its seed', () => {
    const first = (seed: number) => Array.from({ length: 3 }, seededRandom(seed));
    expect(first(1)).toEqual(first(1));
    expect(new Set([0, 1, 2, -1, 2 ** 31].flatMap(first)).size).toBe(15);
  });

  it('draws from 0 to 1 evenly, in its first and its next numbers', () => {
    const random = seededRandom();
    const tenth = (value: number): string => String(Math.floor(value * 10));
    const even = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [String(index), 1]));
    expectDistribution(
      tally(100_000, () => tenth(random())),
      even,
    );
    let seed = Math.floor(random() * 2 ** 31);
    expectDistribution(
      tally(100_000, () => tenth(seededRandom(seed++)())),
      even,
    );
    const pairs = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`${Math.floor(index / 10)}${index % 10}`, 1]),
    );
    expectDistribution(
      tally(100_000, () => tenth(random()) + tenth(random())),
      pairs,
    );
  });
});
