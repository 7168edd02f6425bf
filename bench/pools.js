// The two sides of a comparison: our library on a file, and bare better-sqlite3 on another with the same tables,
// pragmas and rows.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { initDatabase } from 'proxyvault';

/** Whether the tests run each thing once, to see that it works. */
export const isOnce = process.env.PROXYVAULT_BENCH_ONCE === '1';
/** Enough for every operation to find what it looks for. */
const ENOUGH = 1000;

export const folder = mkdtempSync(join(tmpdir(), 'proxyvault-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

let files = 0;

export function newFile() {
  return join(folder, `${files++}.db`);
}

/** Our side; `statementsOf` tells the SQL texts that a call runs, which the other side then runs by hand. */
export function openOurs({ durability = 'normal' } = {}) {
  const heard = [];
  let listening = false;
  const path = newFile();
  const db = initDatabase({ path, durability });
  db.migrations.up();
  const listener = initDatabase({ path, durability, verbose: (sql) => listening && heard.push(sql) });
  return {
    db,
    /** @param {(db: import('proxyvault').DatabaseManager) => unknown} call */
    statementsOf(call) {
      heard.length = 0;
      listening = true;
      call(listener);
      listening = false;
      return [...heard];
    },
  };
}

/** A bare connection with the pragmas of ours (src/database/drivers/sqlite/connection.ts). */
export function openBare(path, { durability = 'normal' } = {}) {
  const bare = new Database(path, { timeout: 5000 });
  for (const pragma of [
    'foreign_keys = 1',
    'trusted_schema = 0',
    'cell_size_check = 1',
    'secure_delete = 1',
    'journal_mode = WAL',
    `synchronous = ${durability === 'full' ? 2 : 1}`,
    'journal_size_limit = 67108864',
    'temp_store = 2',
  ]) {
    bare.pragma(pragma);
  }
  return bare;
}

/** As `openBare`, and reads the pragmas and the version back, as ours does. */
export function openBareChecked(path) {
  const bare = openBare(path);
  const names = [
    'busy_timeout',
    'foreign_keys',
    'trusted_schema',
    'cell_size_check',
    'secure_delete',
    'temp_store',
    'synchronous',
    'journal_size_limit',
    'query_only',
  ];
  bare
    .prepare(`SELECT sqlite_version(), ${names.map((name) => `(SELECT * FROM pragma_${name})`).join(', ')}`)
    .get();
  return bare;
}

/**
 * Both sides with the tables, and the same `count` proxies in a tenth of which each status and region differs. What runs once has no more
 * of them than it takes.
 */
export function openBoth({ durability = 'normal', count = 0 } = {}) {
  const ours = openOurs({ durability });
  const barePath = newFile();
  const setup = initDatabase({ path: barePath, durability });
  setup.migrations.up();
  for (const db of [ours.db, setup]) fill(db, isOnce ? Math.min(count, ENOUGH) : count);
  setup.close();
  return { ...ours, bare: openBare(barePath, { durability }) };
}

export function fill(db, count) {
  if (count === 0) return;
  db.driver.run(
    `WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < :count - 1)
     INSERT INTO proxies (id, name, host, port, protocol, status, latency, latency_ewma, total_requests, success_rate, region, created_at, updated_at)
     SELECT printf('p%08d', n), 'proxy ' || n, 'h' || n || '.example', 8080, 'http',
       CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'active' END, n % 997, n % 997, n % 50, 100.0 - n % 40, 'R' || n % 10,
       '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000' FROM c`,
    { count },
  );
  db.driver.pragma('optimize');
}
