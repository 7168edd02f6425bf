// Prints what leases take in memory that are held, in MB. Run it with --expose-gc.
import { openVault } from 'proxyvault';
import { memoryHeld } from './memory.js';

const [path, keyFile, count] = process.argv.slice(2);
const vault = await openVault({ path, keyFile, durability: 'normal' });
const { pool } = vault;
// The pool is in memory before, and has given a lease.
pool.tryAcquire().succeed();
pool.flush();
const before = await memoryHeld();
const leases = Array.from({ length: Number(count) }, () => pool.tryAcquire());
// What waits to be stored is not part of a lease.
pool.flush();
const after = await memoryHeld();
console.log(JSON.stringify({ rss: after.rss - before.rss, held: after.held - before.held }));
for (const lease of leases) lease.succeed();
await vault.close();
