// The side of the processes that rounds.js starts: each message is answered with what a batch of calls took.

/**
 * @param {object} options
 * @param {number} options.batchMs how long a batch takes at least
 * @param {number} options.warmUp at most so many calls come before each batch
 * @param {() => void} [options.rest] what has to be done after each batch, while nobody measures
 * @param {(asked: {strategy: string, variant: string}) => {run: (calls: number) => unknown, calls?: number}} workOf `run` makes so many
 *   calls, and may give a promise; with `calls` a batch has so many, whatever it takes
 */
export function answerBatches({ batchMs, warmUp, rest = () => {} }, workOf) {
  const counts = new Map();
  process.on('message', async (asked) => {
    if (asked === 'rest') {
      rest();
      process.send('rested');
      return;
    }
    const { strategy, variant } = asked;
    const { run, calls: given } = workOf({ strategy, variant });
    const key = `${strategy} ${variant}`;
    if (counts.has(key)) await time(run, Math.min(warmUp, counts.get(key)));
    else {
      await time(run, warmUp);
      counts.set(key, given ?? (await callsIn(batchMs, run)));
    }
    const calls = counts.get(key);
    const { ms, processorMs } = await time(run, calls);
    process.send({ us: (1000 * ms) / calls, processorUs: (1000 * processorMs) / calls });
  });
  // What was handed out is not stored: nobody reads it.
  process.on('disconnect', () => process.exit());
  process.send('ready');
}

async function callsIn(batchMs, run) {
  for (let calls = 100; ; calls *= 2) {
    // The quickest of three, since a noisy machine makes any of them slow.
    const times = [await time(run, calls), await time(run, calls), await time(run, calls)];
    if (Math.min(...times.map(({ ms }) => ms)) >= batchMs) return calls;
  }
}

async function time(run, calls) {
  const used = process.cpuUsage();
  const start = process.hrtime.bigint();
  const promise = run(calls);
  if (promise !== undefined) await promise;
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.cpuUsage(used);
  return { ms, processorMs: (user + system) / 1000 };
}
