import { ProxyVaultError } from '../../errors.ts';
import { invalidInput } from '../../model/validation.ts';
import { type Engine, type Mode, type Steps, step } from '../drivers/driver.ts';
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
export function* hasLedger<M extends Mode>(engine: Engine<M>, table: string): Steps<M, boolean> {
  const columns = yield* step(engine.columnsOf(table));
  if (hasOwnColumns(columns)) return true;
  const objects = yield* step(engine.objects());
  const found = objects.find(({ name }) => name.toLowerCase() === table.toLowerCase());
  if (found === undefined) {
    const elsewhere = yield* findLedger(
      engine,
      objects.flatMap(({ type, name }) => (type === 'table' ? name : [])),
    );
    if (elsewhere === null) return false;
    throw invalidInput(
      `The migrations of this file are recorded in the table ${elsewhere}, and not in ${table}: open it with \`migrationsTable: '${elsewhere}'\` (PROXYVAULT_MIGRATIONS_TABLE=${elsewhere}). Nothing was changed.`,
      { table, found: elsewhere },
    );
  }
  const owner = OTHERS.find(([, theirs]) => theirs.join() === columns.toSorted().join())?.[0] ?? null;
  const what = owner === null ? `the ${found.type} of another program` : `the migration table of ${owner}`;
  const those = columns.length === 0 ? '' : ` (columns: ${columns.join(', ')})`;
  throw new ProxyVaultError(
    'CONFLICT',
    `In this file ${table} is ${what}${those}. Nothing was changed: use a file of its own, or give our migration table another name with \`migrationsTable: 'proxyvault_migrations'\` (PROXYVAULT_MIGRATIONS_TABLE).`,
    { details: { table, owner } },
  );
}

/** The table that has our columns and our lines, whatever its name. */
function* findLedger<M extends Mode>(engine: Engine<M>, tables: readonly string[]): Steps<M, string | null> {
  for (const name of tables) {
    if (!hasOwnColumns(yield* step(engine.columnsOf(name)))) continue;
    const sql = `SELECT 1 FROM "${name.replaceAll('"', '""')}" WHERE namespace = :namespace LIMIT 1`;
    const isOurs = engine.driver.one(sql, { namespace: OWN_NAMESPACE }, (row) => row !== undefined);
    if (yield* step(isOurs)) return name;
  }
  return null;
}

function hasOwnColumns(columns: readonly string[]): boolean {
  return OWN_COLUMNS.every((column) => columns.includes(column));
}
