// What leases cost: how many a second are acquired and reported as successes, by each strategy, as the pool grows, with the health of
// proxies and limits on. `node bench/leasing.js [STRATEGY…]` runs this part alone, and prints processor time too.
import { fileURLToPath } from 'node:url';
import { measureRounds, median, SIZES, sizesOf } from './rounds.js';

const CHILD = fileURLToPath(new URL('leasing-child.js', import.meta.url));
const ROUNDS = 8;
const BATCH_MS = 2;
/** Leases a second. */
const GOALS = {
  'round-robin': 1e6,
  random: 1e6,
  weighted: 1e6,
  'least-used': 5e5,
  fastest: 5e5,
  'failure-aware': 5e5,
  geographic: 5e5,
  'sticky-session': 5e5,
  'time-based': 5e5,
  custom: 5e5,
};
/** The largest pool over the smallest. */
const MOST_LARGER = 2;
/** Those whose storing is measured too: neighbours in the file, and proxies from everywhere. */
const STORED = ['round-robin', 'random'];
const NAMES = { open: '', awaited: ', awaited', stored: ', storing included' };

/**
 * @param {{isOnce?: boolean}} options `isOnce` makes each a few times in a small pool, to see that it works.
 * @returns {Promise<ReturnType<typeof summarize>>}
 */
export async function measureLeasing({ isOnce = false } = {}) {
  const works = worksOf(Object.keys(GOALS));
  return summarize(await measure(works, isOnce), { works, sizes: sizesOf(isOnce) });
}

function measure(works, isOnce) {
  return measureRounds({ child: CHILD, works, rounds: ROUNDS, batchMs: BATCH_MS, isOnce });
}

function worksOf(strategies) {
  return strategies.flatMap((strategy) =>
    Object.keys(NAMES)
      .filter((variant) => variant !== 'stored' || STORED.includes(strategy))
      .map((variant) => ({ strategy, variant })),
  );
}

/**
 * @returns {{name: string, goal: number | null, perSecond: number[], larger: number}[]} `perSecond` by size; `larger` is the time of the
 *   largest pool over that of the smallest.
 */
function summarize(rounds, { works, sizes, of = 'us' }) {
  return works.map(({ strategy, variant }) => {
    const timesOf = (size) => rounds.map((round) => round.get(`${strategy} ${variant} ${size}`)[of]);
    const smallest = timesOf(sizes[0]);
    return {
      name: `${strategy}${NAMES[variant]}`,
      goal: variant === 'stored' ? null : GOALS[strategy],
      perSecond: sizes.map((size) => 1e6 / median(timesOf(size))),
      larger: median(timesOf(sizes.at(-1)).map((time, round) => time / smallest[round])),
    };
  });
}

/** One line for each: thousands a second by size, and the ratio. */
export function describeLeasing({ name, goal, perSecond, larger }) {
  const rates = perSecond.map((rate) => (rate / 1000).toFixed(0).padStart(6)).join('');
  const isSlow = goal !== null && Math.min(...perSecond) < goal;
  const isLarge = goal !== null && larger > MOST_LARGER;
  return `lease, ${name.padEnd(30)}${rates}  k/s${isSlow ? ` NOT at least ${goal / 1000}` : ''}  larger ${larger.toFixed(2)}${isLarge ? ' !' : ''}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const works = worksOf(process.argv.length > 2 ? process.argv.slice(2) : Object.keys(GOALS));
  const rounds = await measure(works, false);
  for (const of of ['us', 'processorUs']) {
    console.log(
      of === 'us' ? 'By the clock:' : 'By processor time, with that of garbage collection and compilation:',
    );
    for (const row of summarize(rounds, { works, sizes: SIZES, of })) console.log(describeLeasing(row));
  }
}
