import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DatabaseManager, type DatabaseOptions, initDatabase } from 'proxyvault/database';
import { onTestFinished } from 'vitest';
import { SCRATCH } from '../faults/scratch.ts';
import { placeMigrated } from './migrated-file.ts';

/** A folder that is removed when the test ends. */
export function temporaryFolder(base = SCRATCH): string {
  const folder = mkdtempSync(join(base, 'proxyvault-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/**
 * Makes a socket, which is no regular file. A device would do too, but the suite runs as root in CI, and a fault in the code
 * under test could replace /dev/null for the whole machine.
 */
export function makeSocket(path: string): string {
  const listen = `require('node:net').createServer().listen(process.argv[1], () => process.exit())`;
  spawnSync(process.execPath, ['-e', listen, path]);
  return path;
}

/** A database in a file of its own, closed and removed when the test ends. */
export function openDatabase(options: Partial<DatabaseOptions> = {}): DatabaseManager {
  const path = options.path ?? join(temporaryFolder(), 'pool.db');
  const db = initDatabase({ ...options, path });
  onTestFinished(async () => await db[Symbol.asyncDispose]());
  return db;
}

/** What shows in how a database is migrated, or what it is. */
const OF_MIGRATING = ['migrations', 'migrationsTable', 'migrationBackups', 'verbose', 'readonly'] as const;

/** The same, with its tables. */
export function openMigrated(options: Partial<DatabaseOptions> = {}): DatabaseManager {
  const path = options.path ?? join(temporaryFolder(), 'pool.db');
  if (OF_MIGRATING.every((name) => options[name] === undefined)) placeMigrated(path);
  const db = openDatabase({ ...options, path });
  db.migrations.up();
  return db;
}

/** What `work` throws. */
export function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it threw nothing');
}
