/**
 * The migration system. To change the schema: add `NNN_name.sql` here and a line to `sources.ts`; an
 * applied file is never edited.
 */
export { MigrationRunner, type MigrationRunnerOptions } from './runner.ts';
export type { SchemaComparison } from './schema-objects.ts';
export { migrationsFromFolder } from './sources.ts';
export type {
  AppliedMigration,
  InlineMigration,
  InlineMigrations,
  Migration,
  MigrationFolder,
  MigrationSource,
  MigrationStep,
} from './types.ts';
