import type { DatabaseManager, DatabaseOptions, MigrationSource } from 'proxyvault/database';
import { openDatabase } from './temporary.ts';

/** A migration file of an application; `down` null for one that cannot be undone. */
export function migrationFile(
  name: string,
  up: string,
  down: string | null = 'SELECT 1;',
): MigrationSource['files'][number] {
  const downPart = down === null ? '' : `-- Down\n${down}\n`;
  return { name, sql: `-- Migration: ${name}\n-- Description: for a test\n\n-- Up\n${up}\n${downPart}` };
}

export const source = (namespace: string, ...files: MigrationSource['files']): MigrationSource => ({
  namespace,
  files,
});

/** The migrations of applications that the ledger has, in order. */
export function linesOf(db: DatabaseManager): string[] {
  return db.driver.all(
    `SELECT position, namespace, name FROM schema_migrations WHERE namespace <> 'proxyvault' ORDER BY position`,
    {},
    ({ namespace, name }) => `${String(namespace)}/${String(name)}`,
  );
}

/** The same database, closed and opened again with other options, such as other migrations. */
export function reopen(db: DatabaseManager, options: Partial<DatabaseOptions> = {}): DatabaseManager {
  db.close();
  return openDatabase({ ...options, path: db.path });
}
