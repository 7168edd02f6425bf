import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { initDatabase } from 'proxyvault/database';
import { SCRATCH } from '../faults/scratch.ts';

let bytes: Buffer | undefined;

/** Puts a pool with its tables and nothing in them where no file is yet: to migrate each time takes ten times as long. */
export function placeMigrated(path: string): void {
  if (path === ':memory:' || existsSync(path)) return;
  bytes ??= migratedFile();
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, bytes, { mode: 0o600 });
}

/** Removes what closing a database has the engine learn of its tables: one that has just been migrated has nothing of it. */
function withoutStatistics(path: string): void {
  const raw = new Database(path);
  raw.exec('DROP TABLE IF EXISTS sqlite_stat1; DROP TABLE IF EXISTS sqlite_stat4; VACUUM');
  raw.close();
}

function migratedFile(): Buffer {
  const folder = mkdtempSync(join(SCRATCH, 'proxyvault-migrated-'));
  try {
    const path = join(folder, 'pool.db');
    const db = initDatabase({ path });
    db.migrations.up();
    db.close();
    withoutStatistics(path);
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
