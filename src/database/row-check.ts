import type { Engine, Mode } from './drivers/driver.ts';
import { ledgerTable } from './migrations/ledger.ts';
import { OWN_NAMESPACE } from './migrations/types.ts';
import type { Table } from './repositories/columns.ts';
import { ENCRYPTED_CREDENTIALS } from './repositories/credential-record.ts';
import { ENCRYPTION_CONFIG } from './repositories/encryption-config.repository.ts';
import { ENCRYPTION_KEYS } from './repositories/encryption-keys.repository.ts';
import { ENCRYPTION_SECRETS } from './repositories/encryption-secrets.repository.ts';
import { POOL_REVISIONS, PROXY_TOMBSTONES } from './repositories/pool-changes.repository.ts';
import { PROXY_COOLDOWNS } from './repositories/proxy-cooldowns.repository.ts';
import { PROXY_LEASES } from './repositories/proxy-leases.repository.ts';
import { PROXIES } from './repositories/proxy-record.ts';
import { PROXY_TAGS } from './repositories/proxy-tags.repository.ts';
import { PROXY_USAGE_STATS } from './repositories/proxy-usage-stats.repository.ts';
import { ROTATION_CONFIG } from './repositories/rotation-config.repository.ts';
import { ROTATION_EVENTS } from './repositories/rotation-events.repository.ts';
import { ROTATION_RULES } from './repositories/rotation-rules.repository.ts';
import { ROTATION_TURNS } from './repositories/rotation-turns.repository.ts';
import { SESSION_PROXIES } from './repositories/session-proxies.repository.ts';
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
  SESSION_PROXIES,
  ROTATION_TURNS,
  PROXY_COOLDOWNS,
  PROXY_LEASES,
  PROXY_TOMBSTONES,
  POOL_REVISIONS,
];

/** How many malformed rows are named; a damaged page can hold thousands. */
const MOST_NAMED = 1000;

/** What the rows are read with. */
type Reads = Pick<Engine<Mode>, 'objects' | 'background' | 'eachRow'>;

/** Looks at every column of every row; names the first thousand that are malformed, and gives how many there are. */
export async function findMalformedRows(
  engine: Reads,
  ledger: string,
): Promise<{ rows: MalformedRow[]; total: number }> {
  const rows: MalformedRow[] = [];
  let total = 0;
  const add = (row: MalformedRow): void => {
    total++;
    if (rows.length < MOST_NAMED) rows.push(row);
  };
  const present = new Set((await engine.objects()).map(({ type, name }) => type === 'table' && name));
  for (const table of [ledgerTable(ledger), ...TABLES]) {
    if (!present.has(table.name)) continue;
    await engine.eachRow(table.name, (row) => {
      for (const { column, problem } of table.problemsOf(row))
        add({ table: table.name, id: table.idOf(row), column, problem });
    });
  }
  if (present.has(ENCRYPTION_CONFIG.name) && (await isConfigLost(engine))) {
    add({
      table: ENCRYPTION_CONFIG.name,
      id: '1',
      column: 'database_id',
      problem: 'the row is missing, and keys are bound to it',
    });
  }
  if (present.has(ledger) && present.has(PROXIES.name) && (await isBaseLost(engine, ledger))) {
    add({
      table: ledger,
      id: 'NULL',
      column: 'namespace',
      problem: 'the row of the base schema is missing, and its tables are there',
    });
  }
  return { rows, total };
}

async function isConfigLost({ background }: Reads): Promise<boolean> {
  const rows = await background.all(
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM encryption_keys) AND NOT EXISTS (SELECT 1 FROM encryption_config WHERE id = 1)`,
  );
  return rows.length > 0;
}

/** A line of another namespace may have been ours: what it says cannot be told from a line of another program. */
async function isBaseLost({ background }: Reads, ledger: string): Promise<boolean> {
  const rows = await background.all(
    `SELECT 1 FROM "${ledger}" WHERE namespace = :namespace AND version = 0`,
    { namespace: OWN_NAMESPACE },
  );
  return rows.length === 0;
}
