// What a million rows cost: memory while they are streamed, and the event loop while a thread scans them. run.js gives
// it a process of its own, with the garbage collector exposed, and a file that another process filled: what filling
// leaves in memory would hide what reading takes.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Database from 'better-sqlite3';
import { initDatabase, ProxyRepository } from 'proxyvault';

const ROWS = 1_000_000;
const MIB = 1024 * 1024;

const path = process.argv[2];
const db = initDatabase({ path, durability: 'normal' });

/** The highest resident memory above the base while `rows` runs through. */
function peakOf(rows) {
  globalThis.gc();
  const base = process.memoryUsage.rss();
  let most = base;
  let count = 0;
  for (const _ of rows()) {
    if (++count % 10_000 === 0) most = Math.max(most, process.memoryUsage.rss());
  }
  if (count !== ROWS) throw new Error(`${count} rows were streamed`);
  return most - base;
}

async function delayOf(sql) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const rows = await db.background.all(sql);
  delay.disable();
  return { p99: delay.percentile(99) / 1e6, rows: rows.length };
}

const bare = new Database(path, { readonly: true });
const statement = bare.prepare('SELECT * FROM proxies ORDER BY id');
const ours = peakOf(() => new ProxyRepository(db).iterate());
const byHand = peakOf(() => statement.iterate());
await db.background.all('SELECT 1');
const scan = await delayOf(`SELECT count(*) AS n FROM proxies WHERE name LIKE '%9%8%7%'`);
const whole = await delayOf('SELECT id, host, port FROM proxies');
await db[Symbol.asyncDispose]();

process.stdout.write(
  JSON.stringify([
    { name: 'iterate 1,000,000 rows: memory above the base', value: ours / MIB, unit: 'MiB', goal: 30 },
    { name: '  the same on bare better-sqlite3', value: byHand / MIB, unit: 'MiB', goal: null },
    { name: '  bytes a row', value: ours / ROWS, unit: 'B', goal: null },
    { name: 'background scan of 1,000,000 rows: loop delay, p99', value: scan.p99, unit: 'ms', goal: 10 },
    {
      name: `background result of ${whole.rows} rows: loop delay, p99`,
      value: whole.p99,
      unit: 'ms',
      goal: 10,
    },
  ]),
);
