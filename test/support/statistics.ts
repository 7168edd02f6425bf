import { expect } from 'vitest';

/** How often each thing was drawn; or, as shares, how often it should be, relative to the others. */
export type Counts = ReadonlyMap<string, number> | Readonly<Record<string, number>>;

/** How well counts fit their expected shares. */
export interface Fit {
  /** Pearson's chi-square. */
  statistic: number;
  /** Degrees of freedom. */
  degrees: number;
  /** The probability that draws with these shares fit so badly or worse. */
  pValue: number;
}

/** Below so many expected draws, the distribution of the statistic is not chi-square. */
const LEAST_EXPECTED = 5;

/** How often `draw` gives what, in so many draws. */
export function tally(draws: number, draw: () => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let drawn = 0; drawn < draws; drawn++) {
    const what = draw();
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}

/**
 * Fails if the counts do not come from these shares: what has the share 0 must not have been drawn, and the rest must fit.
 *
 * @param shares what each is expected to get, relative to the others: weights do.
 * @param confidence the probability with which right counts fail. One in a million, since the suite is run often.
 */
export function expectDistribution(
  counts: Counts,
  shares: Counts,
  { confidence = 1e-6 }: { confidence?: number } = {},
): void {
  const wanted = mapOf(shares);
  const stray = [...mapOf(counts)].filter(([name, count]) => count > 0 && (wanted.get(name) ?? 0) === 0);
  if (stray.length > 0) expect.fail(`Drawn, and expected never:\n${tableOf(counts, shares)}`);
  const { statistic, degrees, pValue } = chiSquare(counts, shares);
  if (pValue >= confidence) return;
  expect.fail(
    `Chi-square is ${statistic.toFixed(1)} with ${degrees} degrees of freedom. Right counts are as far away with the probability ` +
      `${pValue.toExponential(1)}, which is less than ${confidence}:\n${tableOf(counts, shares)}`,
  );
}

/** Pearson's test of goodness of fit. Things with the share 0 are left out. */
export function chiSquare(counts: Counts, shares: Counts): Fit {
  const rows = rowsOf(counts, shares).filter(({ share }) => share > 0);
  const few = rows.find(({ expected }) => expected < LEAST_EXPECTED);
  if (few !== undefined)
    throw new Error(
      `Draw more: ${few.name} is expected ${few.expected.toFixed(2)} times, and at least ${LEAST_EXPECTED} are needed.`,
    );
  const statistic = rows.reduce(
    (sum, { observed, expected }) => sum + (observed - expected) ** 2 / expected,
    0,
  );
  const degrees = rows.length - 1;
  return { statistic, degrees, pValue: degrees > 0 ? upperGamma(degrees / 2, statistic / 2) : 1 };
}

/**
 * The regularised upper incomplete gamma function Q(a, x), for a > 0 and x >= 0. Chi-square with k degrees of freedom is x or more
 * with the probability Q(k / 2, x / 2).
 *
 * Below a + 1 by the series of DLMF 8.7.1, above by the continued fraction of DLMF 8.9.2 (https://dlmf.nist.gov/8).
 */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const factor = Math.exp(a * Math.log(x) - x - logGamma(a));
  return x < a + 1 ? 1 - factor * series(a, x) : factor * continuedFraction(a, x);
}

/** The sum of x^n / (a (a + 1) … (a + n)). */
function series(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; term > sum * Number.EPSILON; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** 1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / (x + 5 - a - …))), by Lentz's method from the front. */
function continuedFraction(a: number, x: number): number {
  let denominator = x + 1 - a;
  let above = Number.MAX_VALUE;
  let below = 1 / denominator;
  let value = below;
  for (let n = 1, change = 0; Math.abs(change - 1) > Number.EPSILON * 4 && n < 10_000; n++) {
    denominator += 2;
    const numerator = -n * (n - a);
    below = 1 / (denominator + numerator * below);
    above = denominator + numerator / above;
    change = above * below;
    value *= change;
  }
  return value;
}

/** Stirling's series (DLMF 5.11.1), from 10 up, where its next term is below 1e-12. */
function logGamma(z: number): number {
  let shift = 0;
  let at = z;
  for (; at < 10; at++) shift += Math.log(at);
  const square = at * at;
  const tail = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + tail - shift;
}

interface Row {
  name: string;
  share: number;
  observed: number;
  expected: number;
}

function rowsOf(counts: Counts, shares: Counts): Row[] {
  const [drawn, wanted] = [mapOf(counts), mapOf(shares)];
  const sum = (values: Iterable<number>): number => [...values].reduce((all, each) => all + each, 0);
  const [draws, whole] = [sum(drawn.values()), sum(wanted.values())];
  return [...new Set([...wanted.keys(), ...drawn.keys()])].map((name) => ({
    name,
    share: wanted.get(name) ?? 0,
    observed: drawn.get(name) ?? 0,
    expected: ((wanted.get(name) ?? 0) / whole) * draws,
  }));
}

/** The rows that are furthest off first, since there may be thousands. */
function tableOf(counts: Counts, shares: Counts): string {
  const distance = ({ observed, expected }: Row): number =>
    expected === 0 ? observed * Number.MAX_VALUE : (observed - expected) ** 2 / expected;
  const rows = rowsOf(counts, shares).sort((one, other) => distance(other) - distance(one));
  const shown = rows
    .slice(0, 20)
    .map(
      ({ name, observed, expected }) => `  ${name}: observed ${observed}, expected ${expected.toFixed(1)}`,
    );
  return [...shown, ...(rows.length > 20 ? [`  and ${rows.length - 20} more`] : [])].join('\n');
}

function mapOf(counts: Counts): ReadonlyMap<string, number> {
  return counts instanceof Map ? counts : new Map(Object.entries(counts));
}
