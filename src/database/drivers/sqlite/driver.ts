import { ProxyVaultError } from '../../../errors.ts';
import type { Driver, Params, Row, Steps } from '../driver.ts';
import { type Connection, openConnection } from './connection.ts';
import type { ConnectionOptions, SqlLogger } from './connection-options.ts';
import { closedError, isFailedSync, translate } from './errors.ts';
import { ReaderPool } from './readers.ts';

type Statement = ReturnType<Connection['prepare']>;

export interface SqliteDriverOptions extends ConnectionOptions {
  maxReaders: number;
  log: SqlLogger | null;
  /** What may be wrong where a statement cannot be prepared; null if nothing is known. */
  explain?: ((error: ProxyVaultError) => ProxyVaultError | null) | undefined;
}

/** {@link Driver} over better-sqlite3: one connection that writes, and a bounded set that streams reads. */
export class SqliteDriver implements Driver<'sync'> {
  readonly mode = 'sync';
  readonly #connection: Connection;
  readonly #readers: ReaderPool;
  readonly #statements = new Map<string, Statement>();
  readonly #log: SqlLogger | null;
  readonly #path: string;
  readonly #explain: NonNullable<SqliteDriverOptions['explain']>;
  #depth = 0;
  #transactions = 0;
  #rollbacks = 0;

  constructor(options: SqliteDriverOptions) {
    this.#path = options.path;
    this.#log = options.log;
    this.#explain = options.explain ?? (() => null);
    this.#connection = openConnection(options);
    this.#readers = new ReaderPool(options);
  }

  first<T>(sql: string, params: Params, map: (row: Row) => T): T | null {
    const row = this.#get(sql, params);
    return row === undefined ? null : map(row);
  }

  one<T>(sql: string, params: Params, map: (row: Row | undefined) => T): T {
    return map(this.#get(sql, params));
  }

  all<T>(sql: string, params: Params, map: (row: Row) => T | undefined): T[];
  all<T, U>(sql: string, params: Params, map: (row: Row) => T | undefined, finish: (values: T[]) => U): U;
  all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
    finish?: (values: T[]) => U,
  ): T[] | U {
    const statement = this.#statement(sql);
    let rows: Row[];
    try {
      rows = statement.all(params) as Row[];
    } catch (error) {
      throw this.#failed(error);
    }
    const mapped = new Array<T>(rows.length);
    let kept = 0;
    for (let i = 0; i < rows.length; i++) {
      const value = map(rows[i] as Row);
      if (value !== undefined) mapped[kept++] = value;
    }
    mapped.length = kept;
    return finish === undefined ? mapped : finish(mapped);
  }

  run(sql: string, params: Params): number;
  run<T>(sql: string, params: Params, map: (changed: number) => T): T;
  run<T>(sql: string, params: Params, map?: (changed: number) => T): number | T {
    const statement = this.#statement(sql);
    let changed: number;
    try {
      changed = statement.run(params).changes;
    } catch (error) {
      throw this.#failed(error);
    }
    return map === undefined ? changed : map(changed);
  }

  /** Streams from a snapshot taken at the first `next()`; in a transaction and in memory it reads at once. */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): IterableIterator<T> {
    if (this.#path === ':memory:' || this.#connection.inTransaction)
      return this.all(sql, params, map).values();
    this.#log?.(sql);
    return this.#readers.iterate(sql, params, map);
  }

  transaction<T>(steps: () => Steps<'sync', T>): T {
    return this.atomically(() => {
      const generator = steps();
      let step = generator.next();
      while (!step.done) step = generator.next(step.value);
      return step.value;
    });
  }

  /** BEGIN IMMEDIATE (a savepoint inside another), `work`, COMMIT; ROLLBACK if it throws. */
  atomically<T>(work: () => T): T {
    const nested = this.#connection.inTransaction;
    const savepoint = `proxyvault_${this.#depth}`;
    this.#control(nested ? `SAVEPOINT ${savepoint}` : 'BEGIN IMMEDIATE');
    if (!nested) this.#transactions++;
    this.#depth++;
    try {
      const result = work();
      this.#control(nested ? `RELEASE ${savepoint}` : 'COMMIT');
      return result;
    } catch (error) {
      this.#rollbacks++;
      // A full disk or an I/O error has rolled back already: https://www.sqlite.org/lang_transaction.html
      if (this.#connection.open && this.#connection.inTransaction) {
        if (nested) this.#control(`ROLLBACK TO ${savepoint}`);
        this.#control(nested ? `RELEASE ${savepoint}` : 'ROLLBACK');
      }
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** Runs `work`, in which every write is READ_ONLY. */
  readOnly<T>(work: () => T): T {
    this.pragma('query_only = ON');
    try {
      return work();
    } finally {
      this.pragma('query_only = OFF');
    }
  }

  /** Whether a transaction is open on the writing connection. */
  get inTransaction(): boolean {
    return this.#connection.inTransaction;
  }

  get transactionNumber(): number {
    return this.#connection.inTransaction ? this.#transactions : 0;
  }

  get rollbacks(): number {
    return this.#rollbacks;
  }

  get open(): boolean {
    return this.#connection.open;
  }

  /** Runs several statements without parameters, such as a migration. */
  exec(sql: string): void {
    this.#assertOpen();
    this.#log?.(sql);
    try {
      this.#connection.exec(sql);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A pragma's rows, or its one value. */
  pragma(source: string): unknown {
    this.#assertOpen();
    try {
      const rows: unknown = this.#connection.pragma(source);
      const [row] = Array.isArray(rows) ? rows : [];
      const values = Object.values(row ?? {});
      return Array.isArray(rows) && rows.length === 1 && values.length === 1 ? values[0] : rows;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Closes every connection; a stream that is still read from gets CLOSED. */
  close(): void {
    if (!this.#connection.open) return;
    if (this.#connection.inTransaction) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'A database cannot be closed inside its own transaction: return from it first.',
      );
    }
    this.#readers.close();
    this.#statements.clear();
    this.#connection.close();
  }

  #get(sql: string, params: Params): Row | undefined {
    const statement = this.#statement(sql);
    try {
      return statement.get(params) as Row | undefined;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #statement(sql: string): Statement {
    this.#log?.(sql);
    return this.#statements.get(sql) ?? this.#prepare(sql);
  }

  #prepare(sql: string): Statement {
    this.#assertOpen();
    try {
      const statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
      return statement;
    } catch (error) {
      const failed = this.#failed(error);
      throw (failed.code === 'SQL' && this.#explain(failed)) || failed;
    }
  }

  #control(sql: string): void {
    this.#log?.(sql);
    const statement = this.#statements.get(sql) ?? this.#prepare(sql);
    try {
      statement.run();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #assertOpen(): void {
    if (!this.#connection.open) throw closedError(this.#path);
  }

  #failed(error: unknown): ProxyVaultError {
    const translated = translate(error, { open: this.#connection.open, path: this.#path });
    if (isFailedSync(error)) {
      this.#readers.close();
      this.#connection.close();
    }
    return translated;
  }
}
