import { ProxyVaultError } from '../../../errors.ts';
import type { CheckpointResult, Driver, LockName, Params, Row, Scope, Steps } from '../driver.ts';
import { endsTransaction } from '../transaction.ts';
import { ignoreEngine } from './errors.ts';
import { assertParameters } from './parameters.ts';
import type { Statement } from './statements.ts';
import { type Slicing, Transactions } from './transactions.ts';
import { type SqliteDriverOptions, Writer } from './writer.ts';

/** {@link Driver} over better-sqlite3: one connection that writes, and a bounded set that streams reads. */
export class SqliteDriver implements Driver<'sync'> {
  readonly mode = 'sync';
  readonly #writer: Writer;
  readonly #transactions: Transactions;
  readonly #explain: SqliteDriverOptions['explain'];

  constructor(options: SqliteDriverOptions) {
    this.#explain = options.explain;
    this.#writer = new Writer(options);
    this.#transactions = new Transactions(this.#writer);
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
    const writer = this.#writer;
    const statement = this.#statement(sql, params);
    let rows: Row[];
    try {
      rows = statement.all(params) as Row[];
    } catch (error) {
      rows = writer.again(error, () => statement.all(params) as Row[], writer.commits(sql, statement));
    }
    if (!statement.readonly) writer.written();
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
    const writer = this.#writer;
    const statement = this.#statement(sql, params);
    let changed: number;
    try {
      changed = statement.run(params).changes;
    } catch (error) {
      changed = writer.again(error, () => statement.run(params).changes, writer.commits(sql, statement));
    }
    writer.written();
    return map === undefined ? changed : map(changed);
  }

  /** Streams from a snapshot taken at the first `next()`; in a transaction and in memory it reads at once. */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): IterableIterator<T> {
    if (this.#writer.path === ':memory:' || this.inTransaction) return this.all(sql, params, map).values();
    this.#writer.log?.(sql);
    return this.#writer.readers.iterate(sql, params, map);
  }

  transaction<T>(steps: () => Steps<'sync', T>): T {
    return this.atomically(() => this.sequence(steps));
  }

  sequence<T>(steps: () => Steps<'sync', T>): T {
    const generator = steps();
    let step = generator.next();
    while (!step.done) step = generator.next(step.value);
    return step.value;
  }

  /** Nothing: SQLite has one writer, and a transaction here is that writer from its beginning. */
  lock(_name: LockName): void {
    if (!this.inTransaction) throw new ProxyVaultError('INVALID_INPUT', 'A lock is held by a transaction.');
  }

  afterTransaction(work: () => unknown): void {
    const { transaction } = this.#writer;
    if (transaction === null) work();
    else transaction.followUpWith(work);
  }

  get scope(): Scope | null {
    return this.#writer.transaction?.scope ?? null;
  }

  /**
   * BEGIN IMMEDIATE (a savepoint inside another), `work`, COMMIT; ROLLBACK if it throws. If the engine itself has rolled
   * everything back, the outermost throws the first cause, even if `work` has caught it.
   */
  atomically<T>(work: () => T): T {
    return this.#transactions.atomically(work);
  }

  /** As `transaction`, but the event loop has its turns between two steps; see {@link Transactions.inSlices}. */
  transactionInSlices<T>(steps: () => Steps<'sync', T>, slicing: Slicing): Promise<T> {
    return this.#transactions.inSlices(steps, slicing);
  }

  /** Runs `work`, whose reads all see the same state of the database, whatever others commit. It must not write. */
  snapshot<T>(work: () => T): T {
    return this.#transactions.snapshot(work);
  }

  /** Runs `work`, in which every write is READ_ONLY. */
  readOnly<T>(work: () => T): T {
    const { connection } = this.#writer;
    this.pragma('query_only = ON');
    try {
      return work();
    } finally {
      // Not through pragma(), which throws inside a transaction that is lost.
      if (connection.open) connection.pragma('query_only = OFF');
    }
  }

  /** Whether a transaction is open on the writing connection, be it one that is lost. */
  get inTransaction(): boolean {
    return this.#writer.inTransaction;
  }

  get open(): boolean {
    return this.#writer.connection.open;
  }

  /** Runs several statements without parameters, such as a migration. */
  exec(sql: string): void {
    const writer = this.#writer;
    writer.assertUsable();
    writer.transaction?.assertStaysOpen(sql);
    writer.log?.(sql);
    writer.runScript(sql);
  }

  /** Moves the log into the file and cuts it to nothing, as far as others allow within the busy timeout. */
  checkpoint(): CheckpointResult {
    return this.#writer.checkpoint();
  }

  /** A pragma's rows, or its one value. */
  pragma(source: string): unknown {
    const writer = this.#writer;
    writer.assertUsable();
    let rows: Row[];
    try {
      rows = writer.connection.pragma(source) as Row[];
    } catch (error) {
      rows = writer.again(error, () => writer.connection.pragma(source) as Row[]);
    }
    const values = rows.flatMap((row) => Object.values(row));
    return rows.length === 1 && values.length === 1 ? values[0] : rows;
  }

  /** https://www.sqlite.org/pragma.html#pragma_optimize: it may be skipped, so no error of it matters, and it never waits. */
  optimize(): void {
    try {
      this.#writer.connection.pragma('optimize');
    } catch (error) {
      ignoreEngine(error);
    }
  }

  /** @throws CLOSED, with the reason if it was not `close()`. */
  assertOpen(): void {
    this.#writer.assertOpen();
  }

  /** As {@link Writer.close}. */
  close(): void {
    this.#writer.close();
  }

  /** As {@link Writer.closeIfUnsafe}. */
  closeIfUnsafe(error: unknown): void {
    this.#writer.closeIfUnsafe(error);
  }

  #get(sql: string, params: Params): Row | undefined {
    const writer = this.#writer;
    const statement = this.#statement(sql, params);
    // get() steps once and ignores the error of the reset, in which a write commits: so a write is stepped to its end.
    const read = (): Row | undefined =>
      statement.readonly ? (statement.get(params) as Row | undefined) : (statement.all(params) as Row[])[0];
    let row: Row | undefined;
    try {
      row = read();
    } catch (error) {
      row = writer.again(error, read, writer.commits(sql, statement));
    }
    if (!statement.readonly) writer.written();
    return row;
  }

  #statement(sql: string, params: Params): Statement {
    const writer = this.#writer;
    writer.transaction?.assertAlive();
    writer.log?.(sql);
    const statement = writer.statements.find(sql) ?? this.#prepare(sql);
    assertParameters(params);
    return statement;
  }

  #prepare(sql: string): Statement {
    const writer = this.#writer;
    writer.assertOpen();
    writer.transaction?.assertStaysOpen(sql);
    try {
      // Not kept, so that it is looked at again inside a transaction.
      return endsTransaction(sql) ? writer.connection.prepare(sql) : writer.statements.prepare(sql);
    } catch (error) {
      const failed = writer.failed(error);
      throw (failed.code === 'SQL' && this.#explain?.(failed)) || failed;
    }
  }
}
