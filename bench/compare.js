// Times two ways of doing the same thing side by side. They take turns in short batches, so that both have
// the same luck with a noisy machine, and the ratio is taken pair by pair.
import { isOnce } from './pools.js';

const PAIRS = 31;
const BATCH_MS = 25;

/**
 * @param {string} name
 * @param {() => unknown} ours one operation through the library
 * @param {() => unknown} bare the same on bare better-sqlite3
 * @returns {{name: string, ratio: number, least: number, most: number, perSecond: number}} `ratio` is the bare
 *   time over ours: 1 is as fast, 0.5 takes twice as long.
 */
export function compare(name, ours, bare, options) {
  return { name, ...compareAll({ ours, bare }, 'bare', options).ours };
}

/**
 * As {@link compare}, of any number of ways: each takes its turn in every round.
 *
 * @param {Record<string, (() => unknown) & {prepare?: () => void}>} works by their names; `prepare` is called before each call of its
 *   work, and is not measured
 * @param {string} base the name of what the others are compared with
 */
export function compareAll(works, base, options) {
  const resultOf = measureAll(works, base, options);
  const others = Object.keys(works).filter((name) => name !== base);
  return Object.fromEntries(others.map((name) => [name, resultOf(name, base)]));
}

/**
 * Measures as {@link compareAll}; gives a function that compares any two of them.
 *
 * @param {string} first a batch has as many calls as this one makes in its time
 */
export function measureAll(works, first, { pairs = PAIRS } = {}) {
  const names = Object.keys(works);
  if (isOnce) {
    for (const work of Object.values(works)) time(work, 1);
    return () => ({ ratio: 1, least: 1, most: 1, perSecond: 1 });
  }
  const count = batchSize(works[first]);
  for (let n = 0; n < 3; n++) for (const name of names) time(works[name], count);
  const rounds = [];
  for (let round = 0; round < pairs; round++) {
    // The order changes, so that what the first leaves behind does not always burden the second.
    const order = names.map((_, n) => names[(n + round) % names.length]);
    rounds.push(Object.fromEntries(order.map((name) => [name, time(works[name], count)])));
  }
  return (name, base) => {
    const ratios = rounds.map((times) => times[base] / times[name]).sort((a, b) => a - b);
    const times = rounds.map((times) => times[name] / count).sort((a, b) => a - b);
    const middle = pairs >> 1;
    return {
      ratio: ratios[middle],
      least: ratios[0],
      most: ratios[pairs - 1],
      perSecond: 1000 / times[middle],
    };
  };
}

function batchSize(work) {
  let count = 1;
  while (time(work, count) < BATCH_MS && count < 1e6) count *= 2;
  return count;
}

/** Milliseconds for so many calls. */
function time(work, count) {
  if (work.prepare === undefined) return timeCalls(work, count);
  let ms = 0;
  for (let n = 0; n < count; n++) {
    work.prepare();
    ms += timeCalls(work, 1);
  }
  return ms;
}

function timeCalls(work, count) {
  const start = process.hrtime.bigint();
  for (let n = 0; n < count; n++) work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}
