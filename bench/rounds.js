// Measures works in pools of several sizes. Every size has its process; they take turns in short batches, so that all have the same luck
// with a noisy machine. `batches.js` is the side of the processes.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { newPool } from './choosing-pools.js';
import { folder } from './pools.js';

export const SIZES = [1000, 10_000, 100_000, 1_000_000];

export function sizesOf(isOnce) {
  return isOnce ? SIZES.slice(0, 1) : SIZES;
}

/**
 * What each batch took, round by round.
 *
 * @param {object} options
 * @param {string} options.child the script of the processes
 * @param {{strategy: string, variant: string}[]} options.works in the order in which they take turns
 * @param {boolean} options.isOnce makes each a few times in a small pool, to see that it works
 * @returns {Promise<Map<string, {us: number, processorUs: number}>[]>} by `STRATEGY VARIANT SIZE`
 */
export async function measureRounds({ child, works, rounds, batchMs, isOnce }) {
  const sizes = sizesOf(isOnce);
  const children = new Map();
  for (const size of sizes) children.set(size, await startChild(child, size, isOnce ? 0 : batchMs));
  const measured = [];
  for (let round = 0; round < (isOnce ? 1 : rounds); round++) {
    const times = new Map();
    for (const { strategy, variant } of works) {
      // The order changes, so that what one leaves behind does not always burden the same other one.
      const order = sizes.map((_, n) => sizes[(n + round) % sizes.length]);
      for (const size of order)
        times.set(`${strategy} ${variant} ${size}`, await ask(children.get(size), { strategy, variant }));
      await Promise.all([...children.values()].map((each) => ask(each, 'rest')));
    }
    // The first one is not measured: everything is still being compiled.
    if (round > 0 || isOnce) measured.push(times);
  }
  for (const each of children.values()) each.disconnect();
  return measured;
}

async function startChild(script, size, batchMs) {
  const child = fork(script, [newPool(size), join(folder, 'rounds.key'), size, batchMs].map(String));
  await ask(child);
  return child;
}

/** The next message of a child. */
export function ask(child, message) {
  return new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`a child ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (answer) => {
      child.off('exit', ended);
      resolve(answer);
    });
    if (message) child.send(message);
  });
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
