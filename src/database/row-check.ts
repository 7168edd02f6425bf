import type { Params, Row } from './drivers/driver.ts';
import { ledgerTable } from './migrations/ledger.ts';
import { OWN_NAMESPACE } from './migrations/types.ts';
import type { Table } from './repositories/columns.ts';
import { ENCRYPTED_CREDENTIALS } from './repositories/credential-record.ts';
import { ENCRYPTION_CONFIG } from './repositories/encryption-config.repository.ts';
import { ENCRYPTION_KEYS } from './repositories/encryption-keys.repository.ts';
import { ENCRYPTION_SECRETS } from './repositories/encryption-secrets.repository.ts';
import { PROXIES } from './repositories/proxy-record.ts';
import { PROXY_TAGS } from './repositories/proxy-tags.repository.ts';
import { PROXY_USAGE_STATS } from './repositories/proxy-usage-stats.repository.ts';
import { ROTATION_CONFIG } from './repositories/rotation-config.repository.ts';
import { ROTATION_EVENTS } from './repositories/rotation-events.repository.ts';
import { ROTATION_RULES } from './repositories/rotation-rules.repository.ts';
import { STICKY_SESSIONS } from './repositories/sticky-session.repository.ts';

/** A column of a stored row that does not hold what it should. */
export interface MalformedRow {
  table: string;
  /** The row's key; of several columns, joined by spaces. */
  id: string;
  column: string;
  problem: string;
}

type Checked = Pick<Table, 'name' | 'problemsOf' | 'idOf'>;

/** Every table of ours but the ledger, in the order it is looked at. */
const TABLES: readonly Checked[] = [
  PROXIES,
  ENCRYPTED_CREDENTIALS,
  ENCRYPTION_CONFIG,
  ENCRYPTION_KEYS,
  ENCRYPTION_SECRETS,
  ROTATION_CONFIG,
  ROTATION_RULES,
  ROTATION_EVENTS,
  STICKY_SESSIONS,
  PROXY_USAGE_STATS,
  PROXY_TAGS,
];

/** So many are named; a damaged page can hold thousands. */
const MOST_NAMED = 1000;
const PAGE = 5000;
const FIRST_ROWID = '-9223372036854775808';
const LAST_ROWID = '9223372036854775807';

type Query = (sql: string, params?: Params) => Promise<Row[]>;

/** Looks at every column of every row; names the first thousand that are malformed, and gives how many there are. */
export async function findMalformedRows(
  ledger: string,
  query: Query,
): Promise<{ rows: MalformedRow[]; total: number }> {
  const rows: MalformedRow[] = [];
  let total = 0;
  const add = (row: MalformedRow): void => {
    total++;
    if (rows.length < MOST_NAMED) rows.push(row);
  };
  const present = new Set(
    (await query(`SELECT name FROM sqlite_schema WHERE type = 'table'`)).map(({ name }) => name),
  );
  for (const table of [ledgerTable(ledger), ...TABLES])
    if (present.has(table.name)) await checkTable(query, table, add);
  if (present.has(ENCRYPTION_CONFIG.name) && (await isConfigLost(query))) {
    add({
      table: ENCRYPTION_CONFIG.name,
      id: '1',
      column: 'database_id',
      problem: 'the row is missing, and keys are bound to it',
    });
  }
  if (present.has(ledger) && present.has(PROXIES.name) && (await isBaseLost(query, ledger))) {
    add({
      table: ledger,
      id: 'NULL',
      column: 'namespace',
      problem: 'the row of the base schema is missing, and its tables are there',
    });
  }
  return { rows, total };
}

async function checkTable(query: Query, table: Checked, add: (row: MalformedRow) => void): Promise<void> {
  // Rowids as texts: JavaScript's numbers cannot hold all of them.
  const sql = `SELECT CAST(rowid AS TEXT) AS row_id, * FROM "${table.name}" WHERE rowid >= CAST(:from AS INTEGER) ORDER BY rowid LIMIT ${PAGE}`;
  for (let from = FIRST_ROWID; ; ) {
    const page = await query(sql, { from });
    for (const row of page) {
      for (const { column, problem } of table.problemsOf(row)) {
        add({ table: table.name, id: table.idOf(row), column, problem });
      }
    }
    const last = String(page.at(-1)?.row_id ?? LAST_ROWID);
    if (page.length < PAGE || last === LAST_ROWID) return;
    // The rows are not in order, and reading on would never end: the engine's own check has found that.
    if (BigInt(last) < BigInt(from)) return;
    from = String(BigInt(last) + 1n);
  }
}

async function isConfigLost(query: Query): Promise<boolean> {
  const [row] = await query(
    `SELECT EXISTS (SELECT 1 FROM encryption_keys) AND NOT EXISTS (SELECT 1 FROM encryption_config WHERE id = 1) AS lost`,
  );
  return row?.lost === 1;
}

/** A line of another namespace may have been ours: what it says cannot be told from a line of another program. */
async function isBaseLost(query: Query, ledger: string): Promise<boolean> {
  const [row] = await query(
    `SELECT NOT EXISTS (SELECT 1 FROM "${ledger}" WHERE namespace = :namespace AND version = 0) AS lost`,
    { namespace: OWN_NAMESPACE },
  );
  return row?.lost === 1;
}
