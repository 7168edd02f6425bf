import { assertWhole, invalidInput } from '../../model/validation.ts';

/** The latencies of some requests, added up. `foldLatency` adds one. */
export interface LatencySums {
  count: number;
  /** Of whole milliseconds. */
  sum: number;
  /** The mean after these latencies is `keep` times the mean before, and `add`. */
  keep: number;
  add: number;
  /** The first of them, from which a mean begins. */
  first: number;
}

export function noLatency(): LatencySums {
  return { count: 0, sum: 0, keep: 1, add: 0, first: 0 };
}

/** Makes them what `noLatency` gives. */
export function clearLatency(sums: LatencySums): void {
  sums.count = 0;
  sums.sum = 0;
  sums.keep = 1;
  sums.add = 0;
}

/** Adds a latency, in milliseconds, to the sums: the mean that `ProxyRepository.updateStats` keeps, with weight 1/8. */
export function foldLatency(sums: LatencySums, latency: number): LatencySums {
  if (sums.count++ === 0) sums.first = latency;
  sums.sum += Math.round(latency);
  sums.keep *= 7 / 8;
  sums.add = (sums.add * 7) / 8 + latency / 8;
  return sums;
}

/** The sums of both, of which one came before the other. */
export function addLatencySums(before: LatencySums, later: LatencySums): LatencySums {
  return {
    count: before.count + later.count,
    sum: before.sum + later.sum,
    keep: before.keep * later.keep,
    add: before.add * later.keep + later.add,
    first: before.first,
  };
}

/** @throws INVALID_INPUT. */
export function assertLatencySums({ count, sum, keep, add, first }: LatencySums): LatencySums {
  const areSound =
    [keep, add, first].every((value) => value >= 0 && value <= Number.MAX_SAFE_INTEGER) && keep <= 1;
  if (!areSound) throw invalidInput('keep, add and first must be numbers from 0, and keep at most 1.');
  return { count: assertWhole(count, 'count', 1), sum: assertWhole(sum, 'sum', 0), keep, add, first };
}
