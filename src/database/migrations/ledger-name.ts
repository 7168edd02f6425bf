import type { ProxyVaultError } from '../../errors.ts';
import { invalidInput } from '../../model/validation.ts';
import { sectionStatements } from './parser.ts';
import type { Migration } from './types.ts';

/** SQLite's own names, and those of its table functions: https://www.sqlite.org/vtab.html#eponymous_virtual_tables */
const RESERVED = /^(?:sqlite_|pragma_|jsonb?_|dbstat$)/i;
/** Also of a schema that is named: a temporary table would hide ours. */
const MADE =
  /^(?:CREATE\s+(?:TEMP\s+|TEMPORARY\s+)?(?:UNIQUE\s+|VIRTUAL\s+)?(?:TABLE|INDEX|TRIGGER|VIEW)(?:\s+IF\s+NOT\s+EXISTS)?|ALTER\s+TABLE\s.*\sRENAME\s+TO)\s+(?:\w+\s*\.\s*)?["'`[]?(\w+)/is;

/** The name that the table had in every version, so that no migration makes it for the first time. */
export const DEFAULT_LEDGER = 'schema_migrations';

/**
 * SQL has the name between quotes, so words of SQL are no problem.
 *
 * @throws INVALID_INPUT if the name is not plain, is reserved by SQLite, or belongs to a table or index of a migration.
 */
export function assertLedgerName(name: unknown, migrations: readonly Migration[]): void {
  if (typeof name !== 'string' || !/^[a-z_][a-z\d_]{0,62}$/i.test(name))
    throw invalid('must be 1 to 63 letters, digits and _, and not begin with a digit');
  if (RESERVED.test(name)) throw invalid(`cannot be ${name}, since SQLite reserves that name`);
  // A pool that has it is opened whatever its migrations say.
  if (name === DEFAULT_LEDGER) return;
  const owner = migrations.find((migration) => makes(migration, name.toLowerCase()));
  if (owner)
    throw invalid(`cannot be ${name}, since the migration ${owner.name} makes something of that name`);
}

function makes(migration: Migration, name: string): boolean {
  // Most do not have the word at all, and need not be split.
  if (!migration.up.toLowerCase().includes(name)) return false;
  return sectionStatements(migration, 'up').some(({ sql }) => MADE.exec(sql)?.[1]?.toLowerCase() === name);
}

function invalid(problem: string): ProxyVaultError {
  return invalidInput(`migrationsTable ${problem}: choose another, such as vault_migrations.`);
}
