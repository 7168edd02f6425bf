// Prints how long the first choice of a process took, in seconds, and what the pool takes in memory, in MB. Run it with --expose-gc.
import { openVault } from 'proxyvault';
import { memoryHeld } from './memory.js';

const [path, keyFile] = process.argv.slice(2);
const vault = await openVault({ path, keyFile, durability: 'normal' });
const before = await memoryHeld();
const start = performance.now();
vault.pool.choose();
const seconds = (performance.now() - start) / 1000;
const after = await memoryHeld();
console.log(JSON.stringify({ seconds, rss: after.rss - before.rss, held: after.held - before.held }));
await vault.close();
