// One pool in a process of its own, for leasing.js: it answers each message with what a batch of leases took, acquired and reported.
import { openVault } from 'proxyvault';
import { answerBatches } from './batches.js';
import { OPTIONS, requestsOf } from './choosing-pools.js';

const [path, keyFile, , batchMs] = process.argv.slice(2);
const vault = await openVault({ path, keyFile, durability: 'normal' });
const { pool } = vault;
const LIMITS = { maxConcurrentPerProxy: 8, maxLeases: 10_000 };
/** So that nothing is stored within a batch. */
const STORED_BETWEEN = { lossMs: 60_000, lossOutcomes: 1_000_000 };
/** Undefined is the default. */
const STORED_WITHIN = { lossMs: undefined, lossOutcomes: undefined };
/** Enough for the storing to have its share in every batch. */
const CALLS_STORED = 5000;

let configured = '';
answerBatches(
  { batchMs: Number(batchMs), warmUp: 500, rest: () => pool.flush() },
  ({ strategy, variant }) => {
    const isWithin = variant === 'stored';
    if (configured !== `${strategy} ${isWithin}`) {
      const durability = isWithin ? STORED_WITHIN : STORED_BETWEEN;
      vault.config.update({ strategy, options: { ...OPTIONS, limits: LIMITS, durability } });
      configured = `${strategy} ${isWithin}`;
    }
    const requests = requestsOf(strategy, 'open', undefined);
    const run =
      variant === 'awaited' ? (calls) => acquire(requests, calls) : (calls) => tryAcquire(requests, calls);
    return isWithin ? { run, calls: CALLS_STORED } : { run };
  },
);

function tryAcquire(requests, calls) {
  for (let n = 0, next = 0; n < calls; n++, next++) {
    if (next === requests.length) next = 0;
    pool.tryAcquire(requests[next]).succeed({ latencyMs: 20 + (n % 997) });
  }
}

async function acquire(requests, calls) {
  for (let n = 0, next = 0; n < calls; n++, next++) {
    if (next === requests.length) next = 0;
    const lease = await pool.acquire(requests[next]);
    lease.succeed({ latencyMs: 20 + (n % 997) });
  }
}
