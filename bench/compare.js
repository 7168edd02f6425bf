// Times two ways of doing the same thing side by side. They take turns in short batches, so that both have
// the same luck with a noisy machine, and the ratio is taken pair by pair.
const PAIRS = 31;
const BATCH_MS = 25;

/**
 * @param {string} name
 * @param {() => unknown} ours one operation through the library
 * @param {() => unknown} bare the same on bare better-sqlite3
 * @returns {{name: string, ratio: number, least: number, most: number, perSecond: number}} `ratio` is the bare
 *   time over ours: 1 is as fast, 0.5 takes twice as long.
 */
export function compare(name, ours, bare, { pairs = PAIRS } = {}) {
  if (process.env.PROXYVAULT_BENCH_ONCE === '1') return once(name, ours, bare);
  const count = batchSize(bare);
  for (let n = 0; n < 3; n++) time(ours, count) + time(bare, count);
  const ratios = [];
  const times = [];
  for (let pair = 0; pair < pairs; pair++) {
    // The order changes, so that what the first leaves behind does not always burden the second.
    const oursFirst = pair % 2 === 0;
    const first = time(oursFirst ? ours : bare, count);
    const second = time(oursFirst ? bare : ours, count);
    const [ourTime, bareTime] = oursFirst ? [first, second] : [second, first];
    ratios.push(bareTime / ourTime);
    times.push(ourTime / count);
  }
  ratios.sort((a, b) => a - b);
  times.sort((a, b) => a - b);
  return {
    name,
    ratio: ratios[pairs >> 1],
    least: ratios[0],
    most: ratios[pairs - 1],
    perSecond: 1000 / times[pairs >> 1],
  };
}

/** Both sides once, untimed: a test sees that they still run. */
function once(name, ours, bare) {
  ours();
  bare();
  return { name, ratio: 1, least: 1, most: 1, perSecond: 1 };
}

function batchSize(work) {
  let count = 1;
  while (time(work, count) < BATCH_MS && count < 1e6) count *= 2;
  return count;
}

/** Milliseconds for so many calls. */
function time(work, count) {
  const start = process.hrtime.bigint();
  for (let n = 0; n < count; n++) work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}
