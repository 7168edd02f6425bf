import { type ErrorCode, ProxyVaultError } from '../errors.ts';
import { assertBoolean, assertOptions } from '../model/validation.ts';
import { type Session, type Steps, step } from './drivers/driver.ts';
import type { MigrationRunner } from './migrations/runner.ts';
import { compareSchema, type SchemaComparison } from './migrations/schema-objects.ts';
import { BASE } from './migrations/sources.ts';
import { EncryptedCredentialsRepository } from './repositories/encrypted-credentials.repository.ts';
import { findMalformedRows, type MalformedRow } from './row-check.ts';
import type { EncryptionService } from './services/encryption.service.ts';
import type { VerificationReport } from './services/key-verification.ts';

/** What is looked at: an open database. */
interface Inspected extends Session<'sync'> {
  path: string;
  migrations: MigrationRunner;
}

export interface CheckOptions {
  /** Also compare every index entry with its row (`integrity_check`), and open every credential; slower. Default false. */
  deep?: boolean | undefined;
  /** What opens the credentials in a deep check. Only with the key can a changed address of a proxy be found. */
  encryption?: Pick<EncryptionService, 'verify'> | undefined;
}

/** Whether each credential opens for the address that its proxy has; or why that is not known, as without the key. */
export type CredentialCheck =
  | ({ verified: true } & VerificationReport)
  | { verified: false; total: number; code: ErrorCode; message: string };

export interface CheckReport {
  /**
   * No damage, no broken reference, no malformed row, nothing of the schema missing or changed, and no credential that
   * fails to open. Without `credentials.verified` the latter is not known.
   */
  ok: boolean;
  /** What the engine found, empty if nothing. It misses changed content. */
  integrity: string[];
  /** Rows that refer to a row that is not there. */
  foreignKeys: { table: string; rowid: number | null; parent: string }[];
  schema: SchemaComparison;
  /** Columns that do not hold what they should, the first thousand; `rowsTotal` is how many there are. */
  rows: MalformedRow[];
  rowsTotal: number;
  /** Null unless the check is deep. */
  credentials: CredentialCheck | null;
}

export interface DatabaseStats {
  path: string;
  sqliteVersion: string;
  /** Bytes of the file; 0 in memory. */
  fileBytes: number;
  /** Bytes of the write-ahead log. It grows while a reader holds it: leave long `iterate()` loops. */
  walBytes: number;
  pageSize: number;
  pageCount: number;
  /** Pages that deleted rows have left, used again by new ones. */
  freePages: number;
  schemaVersion: number;
  /** Rows by table. */
  rows: Record<string, number>;
}

export async function checkDatabase(database: Inspected, options: CheckOptions): Promise<CheckReport> {
  const { deep = false, encryption } = assertOptions(options, ['deep', 'encryption'], 'options of a check');
  assertBoolean(deep, 'deep');
  const { engine, migrations } = database;
  const { problems, brokenReferences } = await engine.findDamage(deep);
  // A damaged file may not let its rows be read, and there is nothing to say of them then.
  const malformed =
    problems.length === 0 ? await findMalformedRows(engine, migrations.table) : { rows: [], total: 0 };
  const schema = engine.snapshot(function* (): Steps<'sync', SchemaComparison> {
    const applied = yield* step(migrations.getApplied());
    return yield* compareSchema(engine, migrations.table, applied.length > 0 ? [BASE, ...applied] : []);
  });
  const credentials = deep ? await checkCredentials(database, encryption) : null;
  const failures = credentials?.verified ? credentials.failures : [];
  const found = [...problems, ...brokenReferences, ...schema.missing, ...schema.changed, ...failures];
  return {
    ok: found.length + malformed.total === 0,
    integrity: problems,
    foreignKeys: brokenReferences,
    schema,
    rows: malformed.rows,
    rowsTotal: malformed.total,
    credentials,
  };
}

/** The rest of a check is of use even where this cannot be done. */
async function checkCredentials(
  database: Inspected,
  encryption: CheckOptions['encryption'],
): Promise<CredentialCheck> {
  let total = 0;
  try {
    total = new EncryptedCredentialsRepository(database).count();
    if (total === 0) return { verified: true, ok: true, checked: 0, unbound: 0, oldBinding: 0, failures: [] };
    if (encryption) return { verified: true, ...(await encryption.verify({ database })) };
    const message = 'There was no key to open them: give an EncryptionService as the option `encryption`.';
    return { verified: false, total, code: 'KEY_MISSING', message };
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    return { verified: false, total, code: error.code, message: error.message };
  }
}

export async function readStats({ engine, path, migrations }: Inspected): Promise<DatabaseStats> {
  const rows: [table: string, count: number][] = [];
  for (const { type, name } of engine.objects()) {
    if (type !== 'table') continue;
    const [count] = await engine.background.all(`SELECT count(*) AS n FROM "${name.replaceAll('"', '""')}"`);
    rows.push([name, Number(count?.n)]);
  }
  const { version, fileBytes, logBytes, ...sizes } = engine.sizes();
  return {
    path,
    sqliteVersion: version,
    fileBytes,
    walBytes: logBytes,
    ...sizes,
    schemaVersion: migrations.getCurrentVersion(),
    rows: Object.fromEntries(rows),
  };
}
