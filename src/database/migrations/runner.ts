import { ProxyVaultError } from '../../errors.ts';
import { assertWhole, invalidInput } from '../../model/validation.ts';
import { type Clock, type Engine, type Mode, type Result, type Steps, step } from '../drivers/driver.ts';
import { identity, KnownMigrations } from './known.ts';
import { isBase, Ledger, type LedgerLine } from './ledger.ts';
import { fileOf, sectionStatements } from './parser.ts';
import { assertNoForeignObjects, assertSchema, hasRows } from './schema-objects.ts';
import { type AppliedMigration, type Migration, type MigrationStep, OWN_NAMESPACE } from './types.ts';

export interface MigrationRunnerOptions<M extends Mode> {
  engine: Engine<M>;
  clock: Clock;
  /** All known migrations, in the order of application. */
  migrations: readonly Migration[];
  /** Called under the lock, before the first change to a database that has rows; null if nothing is to be done. */
  beforeChange: ((first: Migration) => Result<M, void>) | null;
  /** The name of the ledger's table. */
  table: string;
}

/**
 * Brings the schema up and down. Each call is one transaction that changes the schema alone, so processes that
 * start together apply each migration once, and a failure leaves the database as it was.
 */
export class MigrationRunner<M extends Mode = 'sync'> {
  readonly #engine: Engine<M>;
  readonly #ledger: Ledger<M>;
  readonly #known: KnownMigrations;
  readonly #beforeChange: MigrationRunnerOptions<M>['beforeChange'];

  constructor({ engine, clock, migrations, beforeChange, table }: MigrationRunnerOptions<M>) {
    this.#engine = engine;
    this.#ledger = new Ledger(table, engine, clock);
    this.#known = new KnownMigrations(migrations);
    this.#beforeChange = beforeChange;
  }

  /**
   * Applies every pending migration, of all namespaces. `openVault` does so unless it was called with `migrate: false`.
   *
   * @throws MIGRATION_FAILED (all rolled back), MIGRATION_CHANGED, DATABASE_NEWER, READ_ONLY, BUSY; CONFLICT, before any
   *   change, if the file has a table of one of our names that our migrations did not make.
   * @example
   * const vault = await openVault({ path: './pool.db', migrate: false });
   * vault.database.migrations.up();
   */
  up(): Result<M, void> {
    return this.#run(() => this.#up());
  }

  /**
   * Undoes the last `steps` applied migrations, of whatever namespace; the base schema stays.
   * @throws MIGRATION_IRREVERSIBLE, before any change, if one of them has no Down section or is not known here.
   * @example
   * vault.database.migrations.down(); // the migration that was applied last
   */
  down(steps = 1): Result<M, void> {
    return this.#run(() => {
      assertWhole(steps, 'steps', 1);
      return this.#underLock((lines) => this.#revertAll(withoutBase(lines).slice(-steps)));
    });
  }

  /**
   * Goes up or down until this namespace is at `version` (0: all undone, the base schema stays).
   * @throws INVALID_INPUT if there is no such namespace or version; else as `up` and `down`.
   * @example
   * vault.database.migrations.to(2, 'crawler'); // 002_… of the migrations of `crawler`
   */
  to(version: number, namespace: string = OWN_NAMESPACE): Result<M, void> {
    return this.#run(() => {
      this.#known.assertVersion(version, namespace);
      return this.#underLock((lines) => this.#goTo(version, namespace, lines));
    });
  }

  /**
   * Records the migrations of a namespace up to `version` as applied without running them, for tables that were made by other means.
   *
   * @param namespace an application's own; the library's unless given.
   * @throws INVALID_INPUT if migrations of the namespace are recorded already, there is no such namespace or version, or the schema is another one.
   * @example
   * const shop = { namespace: 'shop', folder: new URL('./migrations', import.meta.url) };
   * const vault = await openVault({ path: './shop.db', migrations: [shop], migrate: false });
   * const { migrations } = vault.database;
   * migrations.baseline(1, 'shop'); // the file has the tables of 001 from before
   * migrations.up(); // ours, and those of shop after 001
   */
  baseline(version: number, namespace: string = OWN_NAMESPACE): Result<M, void> {
    return this.#run(() => {
      this.#known.assertVersion(version, namespace);
      return this.#underLock((lines) => this.#record(version, namespace, lines));
    });
  }

  /**
   * Dry run: what `up()` would execute now, in order.
   *
   * @example
   * const vault = await openVault({ path: './pool.db', migrate: false });
   * for (const { direction, name, sql } of vault.database.migrations.plan()) console.log(direction, name, sql);
   */
  plan(): Result<M, MigrationStep[]> {
    return this.#withLines((lines) => {
      this.#known.assertCompatible(lines);
      return this.#known
        .pending(lines)
        .map(({ namespace, name, up }) => ({ namespace, name, direction: 'up', sql: up }));
    });
  }

  /**
   * Known migrations that the database does not have, in the order they would be applied.
   *
   * @example
   * const vault = await openVault({ path: './pool.db', migrate: false });
   * const names = vault.database.migrations.getPending().map(({ name }) => name); // ['008_proxy_names']
   */
  getPending(): Result<M, Migration[]> {
    return this.#withLines((lines) => withoutBase(this.#known.pending(lines)));
  }

  /**
   * Known migrations that the database has, in the order they were applied.
   *
   * @example
   * const last = vault.database.migrations.getApplied().at(-1);
   * console.log(last?.name, last?.appliedAt); // 008_proxy_names 2026-01-31T12:00:00.000Z
   */
  getApplied(): Result<M, AppliedMigration[]> {
    return this.#withLines((lines) =>
      withoutBase(lines).flatMap((line) => {
        const migration = this.#known.find(line);
        return migration ? [{ ...migration, appliedAt: line.appliedAt }] : [];
      }),
    );
  }

  /**
   * The highest applied version of a namespace; 0 before the first.
   *
   * @example
   * const version = vault.database.migrations.getCurrentVersion(); // 8
   */
  getCurrentVersion(namespace: string = OWN_NAMESPACE): Result<M, number> {
    return this.#withLines((lines) =>
      Math.max(0, ...lines.filter((line) => line.namespace === namespace).map(({ version }) => version)),
    );
  }

  /**
   * Compares the ledger with the files.
   * @throws DATABASE_NEWER for a migration that is not known; MIGRATION_CHANGED.
   * @example
   * vault.database.migrations.verify(); // opening the pool has done it
   */
  verify(): Result<M, void> {
    return this.#withLines((lines) => this.#known.assertCompatible(lines));
  }

  /**
   * Why a statement may have been rejected: MIGRATION_PENDING if the database lacks migrations, else null.
   *
   * @example
   * const explain = (error: ProxyVaultError) => vault.database.migrations.pendingError(error) ?? error;
   */
  pendingError(cause: ProxyVaultError): Result<M, ProxyVaultError | null> {
    return this.#withLines((lines) => {
      const pending = this.#known.pending(lines);
      if (pending.length === 0) return null;
      const isNew = pending.some(isBase);
      const names = withoutBase(pending)
        .map(({ name }) => name)
        .join(', ');
      // The statement may be wrong for another reason, such as a slip in a caller's own SQL.
      const reason = `(${cause.message})`;
      return new ProxyVaultError(
        'MIGRATION_PENDING',
        isNew
          ? `The database has no tables yet: call \`db.migrations.up()\` after \`initDatabase()\`. ${reason}`
          : `The database is older than this program, and lacks ${names}: call \`db.migrations.up()\` after \`initDatabase()\` (\`proxyvault migrate up\`). ${reason}`,
        { cause, details: { pending: names } },
      );
    });
  }

  /** The name of the table that records the migrations. */
  get table(): string {
    return this.#ledger.name;
  }

  *#up(): Steps<M, void> {
    if ((yield* step(this.plan())).length === 0) return;
    yield* this.#underLock((lines) => this.#applyAll(lines, this.#known.pending(lines)));
  }

  *#goTo(version: number, namespace: string, lines: readonly LedgerLine[]): Steps<M, void> {
    yield* this.#revertAll(
      withoutBase(lines).filter((line) => line.namespace === namespace && line.version > version),
    );
    const left = yield* step(this.#ledger.read());
    const isWanted = (m: Migration): boolean => m.namespace === namespace && m.version <= version;
    yield* this.#applyAll(
      left,
      this.#known.pending(left).filter((migration) => isBase(migration) || isWanted(migration)),
    );
  }

  *#record(version: number, namespace: string, lines: readonly LedgerLine[]): Steps<M, void> {
    if (lines.some((line) => line.namespace === namespace)) {
      throw invalidInput(
        `This database has a record of the migrations of ${namespace} already: use up() or to().`,
      );
    }
    const present = this.#known.upTo(version, namespace);
    // What an application's tables refer to is there as well.
    yield* assertSchema(this.#engine, this.#ledger.name, this.#known.with(present, lines));
    for (const migration of present) yield* step(this.#ledger.add(migration));
  }

  *#applyAll(lines: readonly LedgerLine[], pending: readonly Migration[]): Steps<M, void> {
    const own = pending.filter(({ namespace }) => namespace === OWN_NAMESPACE);
    yield* assertNoForeignObjects(this.#engine, this.#ledger.name, this.#known.ownIn(lines), own);
    yield* this.#prepare(withoutBase(pending));
    for (const migration of pending) {
      yield* this.#execute(migration, 'up');
      yield* step(this.#ledger.add(migration));
    }
  }

  /** From the last line to the first. */
  *#revertAll(lines: readonly LedgerLine[]): Steps<M, void> {
    const migrations = this.#known.reversible(lines.toReversed());
    yield* this.#prepare(migrations);
    for (const migration of migrations) {
      yield* this.#execute(migration, 'down');
      yield* step(this.#ledger.remove(migration));
    }
  }

  *#prepare([first]: readonly Migration[]): Steps<M, void> {
    const change = this.#beforeChange;
    if (first && change && (yield* hasRows(this.#engine, this.#ledger.name))) yield* step(change(first));
  }

  *#execute(migration: Migration, direction: 'up' | 'down'): Steps<M, void> {
    for (const { sql, line } of sectionStatements(migration, direction)) {
      try {
        yield* step(this.#engine.script(sql));
      } catch (error) {
        const mayExist = direction === 'up' && this.#known.isFirstOfApplication(migration);
        throw failed(migration, { direction, line, mayExist }, error);
      }
    }
  }

  *#underLock(work: (lines: LedgerLine[]) => Steps<M, void>): Steps<M, void> {
    const ledger = this.#ledger;
    const known = this.#known;
    const changes = this.#engine.changeSchema(function* (): Steps<M, void> {
      yield* step(ledger.create());
      const lines = yield* step(ledger.read());
      known.assertCompatible(lines);
      yield* work(lines);
    });
    yield* step(changes);
  }

  #withLines<T>(work: (lines: LedgerLine[]) => T): Result<M, T> {
    const ledger = this.#ledger;
    return this.#run(function* (): Steps<M, T> {
      return work(yield* step(ledger.read()));
    });
  }

  /** In async mode a promise, which rejects. */
  #run<T>(steps: () => Steps<M, T>): Result<M, T> {
    return this.#engine.driver.sequence(steps);
  }
}

/** The base schema is no migration to the user: it is never undone. */
function withoutBase<T extends Pick<Migration, 'namespace' | 'version'>>(all: readonly T[]): T[] {
  return all.filter((each) => !isBase(each));
}

function failed(
  migration: Migration,
  { direction, line, mayExist }: { direction: 'up' | 'down'; line: number; mayExist: boolean },
  cause: unknown,
): ProxyVaultError {
  // A full disk or a damaged file is not the migration's fault.
  if (
    cause instanceof ProxyVaultError &&
    !['SQL', 'CONSTRAINT', 'CONFLICT', 'INVALID_INPUT'].includes(cause.code)
  )
    return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const advice =
    mayExist && cause instanceof ProxyVaultError && cause.code === 'SQL'
      ? ` If its tables were made before it had migrations, record them with \`db.migrations.baseline(version, '${migration.namespace}')\`.`
      : '';
  return new ProxyVaultError(
    'MIGRATION_FAILED',
    `${identity(migration)} failed at ${fileOf(migration, direction)}:${line} going ${direction}; everything was rolled back. ${reason}${advice}`,
    { cause, details: { migration: migration.name, namespace: migration.namespace, line } },
  );
}
