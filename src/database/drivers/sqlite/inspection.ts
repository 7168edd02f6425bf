import type { BackgroundReads, Damage, Row, Sizes } from '../driver.ts';
import type { SqliteDriver } from './driver.ts';
import { sizeOf } from './log-file.ts';

const PAGE = 5000;
const FIRST_ROWID = '-9223372036854775808';
const LAST_ROWID = '9223372036854775807';

/** It misses changed content: https://www.sqlite.org/pragma.html#pragma_integrity_check */
export async function findDamage(reads: BackgroundReads, deep: boolean): Promise<Damage> {
  const pragma = deep ? 'integrity_check' : 'quick_check';
  const [integrity, foreignKeys] = await Promise.all([
    reads.all(`SELECT ${pragma} AS problem FROM pragma_${pragma}`),
    reads.all('SELECT "table", rowid AS row_id, parent FROM pragma_foreign_key_check'),
  ]);
  return {
    problems: integrity.map((row) => String(row.problem)).filter((problem) => problem !== 'ok'),
    brokenReferences: foreignKeys.map((row) => ({
      table: String(row.table),
      rowid: row.row_id === null ? null : Number(row.row_id),
      parent: String(row.parent),
    })),
  };
}

/** In the order of rowids, which every row has, whatever its key holds. */
export async function eachRow(reads: BackgroundReads, table: string, use: (row: Row) => void): Promise<void> {
  // Rowids as texts: JavaScript's numbers cannot hold all of them.
  const sql = `SELECT CAST(rowid AS TEXT) AS row_id, * FROM "${table}" WHERE rowid >= CAST(:from AS INTEGER) ORDER BY rowid LIMIT ${PAGE}`;
  for (let from = FIRST_ROWID; ; ) {
    const page = await reads.all(sql, { from });
    for (const row of page) use(row);
    const last = String(page.at(-1)?.row_id ?? LAST_ROWID);
    if (page.length < PAGE || last === LAST_ROWID) return;
    // The rows are not in order, and reading on would never end: the engine's own check has found that.
    if (BigInt(last) < BigInt(from)) return;
    from = String(BigInt(last) + 1n);
  }
}

/** In memory there are no files, and their sizes are 0. */
export function readSizes(driver: SqliteDriver, path: string): Sizes {
  return {
    version: String(driver.first('SELECT sqlite_version() AS version', {}, (row) => row.version)),
    fileBytes: sizeOf(path),
    logBytes: sizeOf(`${path}-wal`),
    pageSize: Number(driver.pragma('page_size')),
    pageCount: Number(driver.pragma('page_count')),
    freePages: Number(driver.pragma('freelist_count')),
  };
}
