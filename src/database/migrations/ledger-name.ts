import { ProxyVaultError } from '../../errors.ts';
import type { Migration } from './types.ts';

/** SQLite's own names, and those of its table functions: https://www.sqlite.org/vtab.html#eponymous_virtual_tables */
const RESERVED = /^(?:sqlite_|pragma_|jsonb?_|dbstat$)/i;
const CREATED =
  /\b(?:CREATE\s+(?:UNIQUE\s+|VIRTUAL\s+)?(?:TABLE|INDEX|TRIGGER|VIEW)(?:\s+IF\s+NOT\s+EXISTS)?|RENAME\s+TO)\s+["'`[]?(\w+)/gi;

/**
 * Checks another name for the table of migrations, which is written between quotes in SQL: so words of SQL are no problem.
 *
 * @throws INVALID_INPUT for what is no plain name, a name that SQLite reserves, or that of a table or index which a
 *   migration makes.
 */
export function assertLedgerName(name: unknown, migrations: readonly Migration[]): void {
  if (typeof name !== 'string' || !/^[a-z_][a-z\d_]{0,62}$/i.test(name))
    throw invalid('must be 1 to 63 letters, digits and _, and not begin with a digit');
  if (RESERVED.test(name)) throw invalid(`cannot be ${name}, since SQLite reserves that name`);
  const owner = migrations.find(({ up }) =>
    [...up.matchAll(CREATED)].some(([, made]) => made?.toLowerCase() === name.toLowerCase()),
  );
  if (owner)
    throw invalid(`cannot be ${name}, since the migration ${owner.name} makes something of that name`);
}

function invalid(problem: string): ProxyVaultError {
  return new ProxyVaultError(
    'INVALID_INPUT',
    `migrationsTable ${problem}: choose another, such as vault_migrations.`,
  );
}
