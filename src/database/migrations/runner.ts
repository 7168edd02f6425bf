import { ProxyVaultError } from '../../errors.ts';
import type { Clock } from '../drivers/driver.ts';
import type { SqliteDriver } from '../drivers/sqlite/driver.ts';
import { assertNoForeignObjects } from './foreign-objects.ts';
import { isBase, Ledger, type LedgerLine } from './ledger.ts';
import { sectionStatements } from './parser.ts';
import { assertSchema } from './schema-objects.ts';
import { BASE } from './sources.ts';
import { type AppliedMigration, type Migration, type MigrationStep, OWN_NAMESPACE } from './types.ts';

export interface MigrationRunnerOptions {
  driver: SqliteDriver;
  clock: Clock;
  /** All known migrations, in the order of application. */
  migrations: readonly Migration[];
  /** Called under the lock, before the first change to a database that has rows. */
  beforeChange: (first: Migration) => void;
  /** The name of the ledger's table. */
  table: string;
}

/**
 * Brings the schema up and down. Each call is one transaction under SQLite's write lock, so processes that
 * start together apply each migration once, and a failure leaves the database as it was.
 */
export class MigrationRunner {
  readonly #driver: SqliteDriver;
  readonly #ledger: Ledger;
  readonly #known: readonly Migration[];
  readonly #beforeChange: (first: Migration) => void;

  constructor({ driver, clock, migrations, beforeChange, table }: MigrationRunnerOptions) {
    this.#driver = driver;
    this.#ledger = new Ledger(table, driver, clock);
    this.#known = migrations;
    this.#beforeChange = beforeChange;
  }

  /**
   * Applies every pending migration, of all namespaces.
   *
   * @throws MIGRATION_FAILED (all rolled back), MIGRATION_CHANGED, DATABASE_NEWER, READ_ONLY, BUSY; CONFLICT, before any
   *   change, if the file has a table of one of our names that our migrations did not make.
   */
  up(): void {
    if (this.plan().length === 0) return;
    this.#underLock(() => this.#applyAll(this.#pending(this.#ledger.read())));
  }

  /**
   * Undoes the last `steps` applied migrations, of whatever namespace; the base schema stays.
   *
   * @throws MIGRATION_IRREVERSIBLE, before any change, if one of them has no Down section or is not known here.
   */
  down(steps = 1): void {
    if (!Number.isSafeInteger(steps) || steps < 1) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        `steps must be a whole number from 1, and is ${String(steps)}.`,
      );
    }
    this.#underLock(() => {
      const lines = this.#ledger.read().filter((line) => !isBase(line));
      this.#revertAll(lines.slice(-steps).reverse());
    });
  }

  /**
   * Goes up or down until this namespace is at `version` (0: all undone, the base schema stays).
   *
   * @throws INVALID_INPUT if there is no such version; else as `up` and `down`.
   */
  to(version: number, namespace: string = OWN_NAMESPACE): void {
    this.#assertVersion(version, namespace);
    this.#underLock(() => {
      const lines = this.#ledger.read();
      const over = lines.filter(
        (line) => line.namespace === namespace && line.version > version && !isBase(line),
      );
      this.#revertAll(over.reverse());
      const under = this.#pending(this.#ledger.read()).filter(
        (m) => m.namespace === namespace && m.version <= version,
      );
      this.#applyAll(under);
    });
  }

  /**
   * Records the migrations up to `version` as applied without running them, for a database whose tables were
   * made by other means. The tables must be there.
   *
   * @throws INVALID_INPUT if there is a ledger already, no such version, or the schema is another one.
   */
  baseline(version: number): void {
    this.#assertVersion(version, OWN_NAMESPACE);
    this.#underLock(() => {
      if (this.#ledger.read().length > 0) {
        throw new ProxyVaultError(
          'INVALID_INPUT',
          'This database has a migration ledger already: use up() or to().',
        );
      }
      const present = [
        BASE,
        ...this.#known.filter((m) => m.namespace === OWN_NAMESPACE && m.version <= version),
      ];
      assertSchema(this.#driver, this.#ledger.name, present);
      for (const migration of present) this.#ledger.add(migration);
    });
  }

  /** Dry run: what `up()` would execute now, in order. */
  plan(): MigrationStep[] {
    const lines = this.#ledger.read();
    this.#assertCompatible(lines);
    const base = lines.some(isBase) ? [] : [BASE];
    return [...base, ...this.#pending(lines)].map(({ namespace, name, up }) => ({
      namespace,
      name,
      direction: 'up',
      sql: up,
    }));
  }

  /** Known migrations that the database does not have, in the order they would be applied. */
  getPending(): Migration[] {
    return this.#pending(this.#ledger.read());
  }

  /** Known migrations that the database has, in the order they were applied. */
  getApplied(): AppliedMigration[] {
    return this.#ledger.read().flatMap((line) => {
      const migration = this.#find(line);
      return migration ? [{ ...migration, appliedAt: line.appliedAt }] : [];
    });
  }

  /** The highest applied version of a namespace; 0 before the first. */
  getCurrentVersion(namespace: string = OWN_NAMESPACE): number {
    return this.#ledger
      .read()
      .reduce(
        (highest, line) => (line.namespace === namespace ? Math.max(highest, line.version) : highest),
        0,
      );
  }

  /**
   * Compares the ledger with the known migrations.
   *
   * @throws DATABASE_NEWER if it has one that this program does not know; MIGRATION_CHANGED if a file differs
   *   from what was applied.
   */
  verify(): void {
    this.#assertCompatible(this.#ledger.read());
  }

  /** Why a statement may have been refused: MIGRATION_PENDING if the database lacks migrations, else null. */
  pendingError(cause: ProxyVaultError): ProxyVaultError | null {
    const lines = this.#ledger.read();
    const pending = this.#pending(lines);
    const isNew = !lines.some(isBase);
    if (!isNew && pending.length === 0) return null;
    const names = pending.map(({ name }) => name).join(', ');
    // The statement may be wrong for another reason, such as a slip in a caller's own SQL.
    const reason = `(${cause.message})`;
    return new ProxyVaultError(
      'MIGRATION_PENDING',
      isNew
        ? `The database has no tables yet: call \`db.migrations.up()\` after \`initDatabase()\`. ${reason}`
        : `The database is older than this program, and lacks ${names}: call \`db.migrations.up()\` after \`initDatabase()\` (\`proxyvault migrate up\`). ${reason}`,
      { cause, details: { pending: names } },
    );
  }

  /** The name of the table that records the migrations. */
  get table(): string {
    return this.#ledger.name;
  }

  #underLock(work: () => void): void {
    if (this.#driver.inTransaction) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'Migrations cannot run inside a transaction: return from it first.',
      );
    }
    // Off before BEGIN, since inside a transaction the pragma is ignored and a table rebuild would delete the
    // child rows: https://www.sqlite.org/lang_altertable.html#otheralter
    this.#driver.pragma('foreign_keys = OFF');
    try {
      this.#driver.atomically(() => {
        this.#ledger.create();
        this.#assertCompatible(this.#ledger.read());
        work();
        this.#assertForeignKeys();
      });
    } finally {
      if (this.#driver.open) this.#driver.pragma('foreign_keys = ON');
    }
  }

  #applyAll(pending: readonly Migration[]): void {
    const lines = this.#ledger.read();
    const base = lines.some(isBase) ? [] : [BASE];
    const own = ({ namespace }: Migration): boolean => namespace === OWN_NAMESPACE;
    const present = [
      ...(base.length === 0 ? [BASE] : []),
      ...this.#known.filter((m) => own(m) && this.#isIn(lines, m)),
    ];
    assertNoForeignObjects(this.#driver, this.#ledger.name, present, [...base, ...pending.filter(own)]);
    const [first] = pending;
    if (first) this.#beforeChange(first);
    for (const migration of base) this.#apply(migration);
    for (const migration of pending) this.#apply(migration);
  }

  #apply(migration: Migration): void {
    this.#execute(migration, 'up');
    this.#ledger.add(migration);
  }

  #revertAll(lines: readonly LedgerLine[]): void {
    const migrations = lines.map((line) => this.#find(line) ?? unknownMigration(line));
    const irreversible = migrations.find((migration) => migration.down === null);
    if (irreversible) {
      throw new ProxyVaultError(
        'MIGRATION_IRREVERSIBLE',
        `${irreversible.namespace}/${irreversible.name} has no Down section and cannot be undone; nothing was changed. Restore a backup instead.`,
      );
    }
    const [first] = migrations;
    if (first) this.#beforeChange(first);
    for (const migration of migrations) {
      this.#execute(migration, 'down');
      this.#ledger.remove(migration);
    }
  }

  #execute(migration: Migration, direction: 'up' | 'down'): void {
    for (const { sql, line } of sectionStatements(migration, direction)) {
      try {
        this.#driver.exec(sql);
      } catch (error) {
        throw failed(migration, direction, line, error);
      }
    }
  }

  #pending(lines: readonly LedgerLine[]): Migration[] {
    // A set difference by identity, never "newer than the last": two branches merge in any order.
    const applied = new Set(lines.map(identity));
    return this.#known.filter((migration) => !applied.has(identity(migration)));
  }

  #isIn(lines: readonly LedgerLine[], migration: Migration): boolean {
    return lines.some((line) => identity(line) === identity(migration));
  }

  #find(line: LedgerLine): Migration | undefined {
    return this.#known.find((migration) => identity(migration) === identity(line));
  }

  #assertCompatible(lines: readonly LedgerLine[]): void {
    const ours = new Set(this.#known.map((migration) => migration.namespace).concat(OWN_NAMESPACE));
    for (const line of lines) {
      // Another application's tables in the same file are its own matter.
      if (!ours.has(line.namespace)) continue;
      const known = isBase(line) ? BASE : this.#find(line);
      if (!known) {
        throw new ProxyVaultError(
          'DATABASE_NEWER',
          `The database has the migration ${line.namespace}/${line.name}, which this version does not know: update the program.`,
          { details: { migration: line.name, namespace: line.namespace } },
        );
      }
      if (known.checksum !== line.checksum) {
        throw new ProxyVaultError(
          'MIGRATION_CHANGED',
          `${line.namespace}/${line.name} differs from what was applied on ${line.appliedAt}: restore its file, and put the change into a new migration.`,
          { details: { migration: line.name, namespace: line.namespace } },
        );
      }
    }
  }

  #assertVersion(version: number, namespace: string): void {
    const versions = this.#known
      .filter((migration) => migration.namespace === namespace)
      .map((migration) => migration.version);
    if (version !== 0 && !versions.includes(version)) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        `There is no version ${String(version)} of ${namespace}; there are 0, ${versions.join(', ')}.`,
      );
    }
  }

  #assertForeignKeys(): void {
    const broken = this.#driver.all(
      `SELECT DISTINCT "table" AS name FROM pragma_foreign_key_check`,
      {},
      (row) => String(row.name),
    );
    if (broken.length > 0) {
      throw new ProxyVaultError(
        'MIGRATION_FAILED',
        `Rows of ${broken.join(', ')} would refer to rows that are gone; everything was rolled back.`,
      );
    }
  }
}

function identity({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

function unknownMigration(line: LedgerLine): never {
  throw new ProxyVaultError(
    'MIGRATION_IRREVERSIBLE',
    `${identity(line)} was applied by another program and is not known here; nothing was changed. Undo it with that program first.`,
  );
}

function failed(
  migration: Migration,
  direction: 'up' | 'down',
  line: number,
  cause: unknown,
): ProxyVaultError {
  // A full disk or a damaged file is not the migration's fault.
  if (
    cause instanceof ProxyVaultError &&
    !['SQL', 'CONSTRAINT', 'CONFLICT', 'INVALID_INPUT'].includes(cause.code)
  )
    return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ProxyVaultError(
    'MIGRATION_FAILED',
    `${identity(migration)} failed at ${migration.name}.sql:${line} going ${direction}; everything was rolled back. ${reason}`,
    { cause, details: { migration: migration.name, namespace: migration.namespace, line } },
  );
}
