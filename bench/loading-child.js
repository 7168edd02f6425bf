// Prints how long the first choice of a process took, in seconds, and what the pool takes in memory, in MB. Run it with --expose-gc.
import { openVault } from 'proxyvault';

const [path, keyFile] = process.argv.slice(2);
const vault = await openVault({ path, keyFile, durability: 'normal' });
const before = await memory();
const start = performance.now();
vault.pool.choose();
const seconds = (performance.now() - start) / 1000;
const after = await memory();
console.log(JSON.stringify({ seconds, rss: after.rss - before.rss, held: after.held - before.held }));
await vault.close();

/** After everything that can be freed was freed. */
async function memory() {
  for (let n = 0; n < 3; n++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss: rss / 1e6, held: (heapUsed + arrayBuffers) / 1e6 };
}
