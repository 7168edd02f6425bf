// One pool in a process of its own, for choosing.js: it answers each message with what a batch of choices took.
import { openVault } from 'proxyvault';
import { FILTER, idOf } from './choosing-pools.js';

const [path, keyFile, count, batchMs] = process.argv.slice(2);
const vault = await openVault({ path, keyFile, durability: 'normal' });
/** Nine of ten proxies. The active ones among the others are spread over all places. */
const excluded = new Set();
for (let n = 0; n < Number(count); n++) if (Math.floor(n / 11) % 10 !== 0) excluded.add(idOf(n));

const VARIANTS = { open: {}, filtered: FILTER, excluded: { exclude: excluded } };
/** Other domains for each variant, since a domain keeps its proxy. */
const DOMAINS = 100;
const OPTIONS = { country: 'DE', custom: 'random' };
const WARM_UP = 2000;

/** The requests of a strategy, which take turns. */
function requestsOf(strategy, variant) {
  const request = VARIANTS[variant];
  if (strategy === 'sticky-session')
    return Array.from({ length: DOMAINS }, (_, n) => ({ ...request, domain: `${variant}${n}.example` }));
  return [variant === 'open' ? undefined : request];
}

const counts = new Map();
process.on('message', ({ strategy, variant }) => {
  if (vault.config.get().strategy !== strategy) vault.config.update({ strategy, options: OPTIONS });
  const requests = requestsOf(strategy, variant);
  const key = `${strategy} ${variant}`;
  if (!counts.has(key)) {
    time(requests, WARM_UP);
    let calls = 100;
    // The quickest of three, since a noisy machine makes any of them slow.
    const quickest = () => Math.min(...[1, 2, 3].map(() => time(requests, calls).ms));
    while (quickest() < Number(batchMs)) calls *= 2;
    counts.set(key, calls);
  } else time(requests, Math.min(WARM_UP, counts.get(key)));
  const calls = counts.get(key);
  const { ms, processorMs } = time(requests, calls);
  process.send({ us: (1000 * ms) / calls, processorUs: (1000 * processorMs) / calls });
});
// What was handed out is not stored: nobody reads it.
process.on('disconnect', () => process.exit());
process.send('ready');

function time(requests, calls) {
  const { pool } = vault;
  const used = process.cpuUsage();
  const start = process.hrtime.bigint();
  for (let n = 0, next = 0; n < calls; n++, next++) {
    if (next === requests.length) next = 0;
    pool.choose(requests[next]);
  }
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.cpuUsage(used);
  return { ms, processorMs: (user + system) / 1000 };
}
