import type { MigrationSource } from 'proxyvault/database';

/** A migration file of an application; `down` null for one that cannot be undone. */
export function migrationFile(
  name: string,
  up: string,
  down: string | null = 'SELECT 1;',
): MigrationSource['files'][number] {
  const downPart = down === null ? '' : `-- Down\n${down}\n`;
  return { name, sql: `-- Migration: ${name}\n-- Description: for a test\n\n-- Up\n${up}\n${downPart}` };
}
