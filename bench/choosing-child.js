// One pool in a process of its own, for choosing.js: it answers each message with what a batch of choices took.
import { openVault } from 'proxyvault';
import { answerBatches } from './batches.js';
import { FILTER, idOf, OPTIONS, requestsOf } from './choosing-pools.js';

const [path, keyFile, count, batchMs] = process.argv.slice(2);
const vault = await openVault({ path, keyFile, durability: 'normal' });
/** Nine of ten proxies. The active ones among the others are spread over all places. */
const excluded = new Set();
for (let n = 0; n < Number(count); n++) if (Math.floor(n / 11) % 10 !== 0) excluded.add(idOf(n));

const VARIANTS = { open: undefined, filtered: FILTER, excluded: { exclude: excluded } };

answerBatches({ batchMs: Number(batchMs), warmUp: 2000 }, ({ strategy, variant }) => {
  if (vault.config.get().strategy !== strategy) vault.config.update({ strategy, options: OPTIONS });
  const requests = requestsOf(strategy, variant, VARIANTS[variant]);
  const { pool } = vault;
  return {
    run(calls) {
      for (let n = 0, next = 0; n < calls; n++, next++) {
        if (next === requests.length) next = 0;
        pool.choose(requests[next]);
      }
    },
  };
});
