// How many proxies a second are chosen, by each strategy, without a filter, with one, and with 90 % of the pool excluded, as the pool
// grows. Figures are medians, ratios are taken round by round. `node bench/choosing.js [STRATEGY…]` runs it alone, and prints processor time too.
import { fileURLToPath } from 'node:url';
import { measureRounds, median, SIZES, sizesOf } from './rounds.js';

const CHILD = fileURLToPath(new URL('choosing-child.js', import.meta.url));
const VARIANTS = ['open', 'filtered', 'excluded'];
const ROUNDS = 16;
const BATCH_MS = 5;
/** Choices a second. */
const GOALS = {
  'round-robin': 2e6,
  random: 2e6,
  weighted: 2e6,
  'least-used': 1e6,
  fastest: 1e6,
  'failure-aware': 1e6,
  geographic: 1e6,
  'sticky-session': 1e6,
  'time-based': 1e6,
  custom: 1e6,
};
const MOST = { larger: 2, filtered: 2, excluded: 3 };

/**
 * @param {{isOnce?: boolean}} options `isOnce` makes each choice a few times in a small pool, to see that it works.
 * @returns {Promise<ReturnType<typeof summarize>>}
 */
export async function measureChoosing({ isOnce = false } = {}) {
  const strategies = Object.keys(GOALS);
  return summarize(await measure(strategies, isOnce), { strategies, sizes: sizesOf(isOnce) });
}

/**
 * @param {Map<string, {us: number, processorUs: number}>[]} rounds
 * @returns {{strategy: string, goal: number, perSecond: Record<string, number[]>, ratios: Record<string, number>}[]} `perSecond`
 *   of each variant, by size; `ratios` of the time: the largest pool over the smallest, and the others over the same pool as it is,
 *   where that is worst.
 */
function summarize(rounds, { strategies, sizes, of = 'us' }) {
  return strategies.map((strategy) => {
    const timesOf = (variant, size) => rounds.map((round) => round.get(`${strategy} ${variant} ${size}`)[of]);
    const ratioOf = (one, other) => median(one.map((time, round) => time / other[round]));
    const worst = (variant) =>
      Math.max(...sizes.map((size) => ratioOf(timesOf(variant, size), timesOf('open', size))));
    return {
      strategy,
      goal: GOALS[strategy],
      perSecond: Object.fromEntries(
        VARIANTS.map((variant) => [variant, sizes.map((size) => 1e6 / median(timesOf(variant, size)))]),
      ),
      ratios: {
        larger: ratioOf(timesOf('open', sizes.at(-1)), timesOf('open', sizes[0])),
        filtered: worst('filtered'),
        excluded: worst('excluded'),
      },
    };
  });
}

function measure(strategies, isOnce) {
  const works = strategies.flatMap((strategy) => VARIANTS.map((variant) => ({ strategy, variant })));
  return measureRounds({ child: CHILD, works, rounds: ROUNDS, batchMs: BATCH_MS, isOnce });
}

/** One line for each strategy: thousands a second by size, and the ratios. */
export function describeChoosing({ strategy, goal, perSecond, ratios }) {
  const rates = VARIANTS.map((variant) =>
    perSecond[variant].map((rate) => (rate / 1000).toFixed(0).padStart(6)).join(''),
  );
  const found = Object.entries(ratios).map(
    ([name, ratio]) => `${name} ${ratio.toFixed(2)}${ratio > MOST[name] ? ' !' : ''}`,
  );
  const isSlow = Math.min(...perSecond.open) < goal;
  return `choose, ${strategy.padEnd(15)}${rates.join(' |')}  k/s${isSlow ? ` NOT at least ${goal / 1000}` : ''}  ${found.join(', ')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const strategies = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(GOALS);
  const rounds = await measure(strategies, false);
  for (const of of ['us', 'processorUs']) {
    console.log(
      of === 'us' ? 'By the clock:' : 'By processor time, with that of garbage collection and compilation:',
    );
    for (const row of summarize(rounds, { strategies, sizes: SIZES, of })) console.log(describeChoosing(row));
  }
}
