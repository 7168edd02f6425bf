import { ProxyVaultError } from '../../errors.ts';
import type { SqliteDriver } from '../drivers/sqlite/driver.ts';
import { OWN_NAMESPACE } from './types.ts';

const OWN_COLUMNS = ['position', 'namespace', 'version', 'name', 'checksum', 'applied_at'];

/** Tools that call their table `schema_migrations` too, by the columns that tell. */
const OTHERS: readonly (readonly [tool: string, columns: readonly string[]])[] = [
  ['golang-migrate', ['dirty', 'version']],
  ['Rails or dbmate', ['version']],
  ['Ecto', ['inserted_at', 'version']],
];

/**
 * Whether the ledger is in the file.
 *
 * @throws CONFLICT if something else has its name; INVALID_INPUT if our ledger is there under another name, so that no
 *   migration is run twice.
 */
export function hasLedger(driver: SqliteDriver, table: string): boolean {
  const type = driver.first(
    `SELECT type FROM sqlite_schema WHERE name = :table COLLATE NOCASE`,
    { table },
    (row) => String(row.type),
  );
  if (type === null) {
    const elsewhere = findLedger(driver);
    if (elsewhere === null) return false;
    throw new ProxyVaultError(
      'INVALID_INPUT',
      `The migrations of this file are recorded in the table ${elsewhere}, and not in ${table}: open it with \`migrationsTable: '${elsewhere}'\` (PROXYVAULT_MIGRATIONS_TABLE=${elsewhere}). Nothing was changed.`,
      { details: { table, found: elsewhere } },
    );
  }
  const columns = columnsOf(driver, table);
  if (type === 'table' && OWN_COLUMNS.every((column) => columns.includes(column))) return true;
  const owner = OTHERS.find(([, theirs]) => theirs.join() === columns.toSorted().join())?.[0] ?? null;
  const what = owner === null ? `the ${type} of another program` : `the migration table of ${owner}`;
  throw new ProxyVaultError(
    'CONFLICT',
    `In this file ${table} is ${what} (columns: ${columns.join(', ')}). Nothing was changed: use a file of its own, or give our migration table another name with \`migrationsTable: 'proxyvault_migrations'\` (PROXYVAULT_MIGRATIONS_TABLE).`,
    { details: { table, owner } },
  );
}

/** The table that has our columns and our lines, whatever its name. */
function findLedger(driver: SqliteDriver): string | null {
  const candidates = driver.all(
    `SELECT name FROM sqlite_schema AS t WHERE type = 'table'
       AND (SELECT count(*) FROM pragma_table_info(t.name) WHERE name IN (SELECT value FROM json_each(:columns))) = :count`,
    { columns: JSON.stringify(OWN_COLUMNS), count: OWN_COLUMNS.length },
    (row) => String(row.name),
  );
  const isOurs = (name: string): boolean =>
    driver.one(
      `SELECT 1 FROM "${name.replaceAll('"', '""')}" WHERE namespace = :namespace`,
      { namespace: OWN_NAMESPACE },
      (row) => row !== undefined,
    );
  return candidates.find(isOurs) ?? null;
}

function columnsOf(driver: SqliteDriver, table: string): string[] {
  return driver.all('SELECT name FROM pragma_table_info(:table)', { table }, (row) => String(row.name));
}
