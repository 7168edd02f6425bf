import { ProxyVaultError } from '../../../errors.ts';
import { invalidInput } from '../../../model/validation.ts';
import type {
  CheckpointResult,
  Driver,
  ExecuteResult,
  LockName,
  Params,
  Row,
  Scope,
  Steps,
  TransactionOptions,
  VacuumResult,
} from '../driver.ts';
import { endsTransaction, type Slicing } from '../transaction.ts';
import { allExact, changesOf } from './caller-statements.ts';
import type { SqliteDriverOptions } from './connection-options.ts';
import { explained, ignoreEngine } from './errors.ts';
import { assertParameters, type Prepared, prepare, type StatementCache } from './statements.ts';
import { atomically, transactionInSlices } from './transactions.ts';
import { vacuum } from './vacuum.ts';
import { isHeldHere } from './waiting.ts';
import { Writer } from './writer.ts';

/** {@link Driver} over better-sqlite3: one connection that writes, and a bounded set that streams reads. */
export class SqliteDriver implements Driver<'sync'> {
  readonly mode = 'sync';
  readonly #options: SqliteDriverOptions;
  readonly #writer: Writer;

  constructor(options: SqliteDriverOptions) {
    this.#options = options;
    this.#writer = new Writer(options);
  }

  get scope(): Scope | null {
    return this.#writer.transaction?.scope ?? null;
  }

  get changes(): number {
    return this.#writer.changes;
  }

  get open(): boolean {
    return this.#writer.connection.open;
  }

  /** Whether a transaction is open, be it one that is lost. */
  get inTransaction(): boolean {
    return this.#writer.inTransaction;
  }

  /** @throws CLOSED, with the reason if it was not `close()`. */
  assertOpen(): void {
    this.#writer.assertOpen();
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
    const rows = this.#execute(sql, params, ({ statement }) => statement.all(params) as Row[]);
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
    const changed = this.#execute(sql, params, ({ statement }) => statement.run(params).changes);
    return map === undefined ? changed : map(changed);
  }

  rows(sql: string, params: Params): Row[] {
    return this.#execute(sql, params, allExact, this.#writer.callerStatements);
  }

  change(sql: string, params: Params): ExecuteResult {
    return this.#execute(sql, params, changesOf, this.#writer.callerStatements);
  }

  /** Streams from a snapshot taken at the first `next()`; in a transaction and in memory it reads at once. */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): IterableIterator<T> {
    if (this.#options.path === ':memory:' || this.inTransaction) return this.all(sql, params, map).values();
    this.#options.log?.(sql);
    return this.#writer.readers.iterate(sql, params, map);
  }

  transaction<T>(steps: () => Steps<'sync', T>, { waitMs }: TransactionOptions = {}): T {
    const work = (): T => this.atomically(() => this.sequence(steps));
    return waitMs === undefined ? work() : this.#writer.waitingAtMost(waitMs, work);
  }

  /** As {@link transaction}, over a function. */
  atomically<T>(work: () => T): T {
    return atomically(this.#writer, work);
  }

  /** As {@link transaction}, in slices between which the event loop has its turn. This driver must have no other user. */
  transactionInSlices<T>(steps: () => Steps<'sync', T>, slicing: Slicing): Promise<T> {
    return transactionInSlices(this.#writer, steps, slicing);
  }

  /** Runs `work`, whose reads all see the same state of the database, whatever others commit. It must not write. */
  snapshot<T>(work: () => T): T {
    if (this.inTransaction) return work();
    this.#writer.control('BEGIN');
    try {
      return work();
    } finally {
      const { open, inTransaction } = this.#writer.connection;
      if (open && inTransaction) this.#writer.runControl('END');
    }
  }

  afterTransaction(work: () => unknown): void {
    const { transaction } = this.#writer;
    if (transaction === null) work();
    else transaction.followUps.add(work);
  }

  sequence<T>(steps: () => Steps<'sync', T>): T {
    const generator = steps();
    let step = generator.next();
    while (!step.done) step = generator.next(step.value);
    return step.value;
  }

  /** Nothing: SQLite has one writer, and a transaction here is that writer from its beginning. */
  lock(_name: LockName): void {
    if (!this.inTransaction) throw invalidInput('A lock is held by a transaction.');
  }

  /** As {@link Engine.version}. */
  version(): number {
    return this.#writer.dataVersion();
  }

  /** Another connection of this engine may have written. */
  countChange(): void {
    this.#writer.changes++;
  }

  /** Runs several statements without parameters, such as a migration. */
  exec(sql: string): void {
    const { connection, patience, transaction } = this.#writer;
    this.#writer.assertUsable();
    transaction?.assertStaysOpen(sql);
    this.#options.log?.(sql);
    this.#writer.changes++;
    const isWaiting = patience.timeoutMs > 0 && !this.inTransaction && !isHeldHere(patience.path);
    try {
      // Of several statements some may have happened, so that SQLite itself must wait for the lock.
      if (isWaiting) connection.pragma(`busy_timeout = ${patience.timeoutMs}`);
      connection.exec(sql);
    } catch (error) {
      throw this.#writer.failed(error, sql);
    } finally {
      if (isWaiting && connection.open) connection.pragma('busy_timeout = 0');
    }
    this.#writer.written();
  }

  /** A pragma's rows, or its one value. */
  pragma(source: string): unknown {
    this.#writer.assertUsable();
    const rows = this.#writer.attempt(() => this.#writer.connection.pragma(source) as Row[]);
    const values = rows.flatMap((row) => Object.values(row));
    return rows.length === 1 && values.length === 1 ? values[0] : rows;
  }

  /** Runs `work`, in which every write is READ_ONLY. */
  readOnly<T>(work: () => T): T {
    this.pragma('query_only = ON');
    try {
      return work();
    } finally {
      // Not through pragma(), which throws inside a transaction that is lost.
      if (this.open) this.#writer.connection.pragma('query_only = OFF');
    }
  }

  /** Moves the log into the file and cuts it to nothing, as far as others allow within the busy timeout. */
  checkpoint(): CheckpointResult {
    const { wal, readers, patience } = this.#writer;
    const { path } = patience;
    this.#writer.assertUsable();
    if (this.#options.readonly) {
      const message = `The log of ${path} cannot be moved into it: open it without readonly.`;
      throw new ProxyVaultError('READ_ONLY', message, { details: { path } });
    }
    if (wal === null) return { complete: true, walPages: 0, movedPages: 0 };
    try {
      // Waiting for this thread would never end.
      return wal.empty(readers.isStreaming || isHeldHere(path) ? 0 : patience.timeoutMs);
    } catch (error) {
      throw this.#writer.failed(error);
    }
  }

  /** As `DatabaseManager.vacuum`. */
  vacuum(): VacuumResult {
    return vacuum(this.#writer);
  }

  /** https://www.sqlite.org/pragma.html#pragma_optimize: it may be skipped, so no error of it matters, and it never waits. */
  optimize(): void {
    try {
      this.#writer.connection.pragma('optimize');
    } catch (error) {
      ignoreEngine(error);
    }
  }

  /** Closes every connection, after the log was moved into the file. A stream that is still read from gets CLOSED. */
  close(): void {
    this.#writer.close();
  }

  /** Closes it if `error`, of another connection to this file, says that the disk may not have what was written. */
  closeIfUnsafe(error: unknown): void {
    this.#writer.closeIfUnsafe(error);
  }

  #get(sql: string, params: Params): Row | undefined {
    // get() steps once and ignores the error of the reset, in which a write commits: so a write is stepped to its end.
    return this.#execute(sql, params, ({ statement, onlyReads }) =>
      onlyReads ? (statement.get(params) as Row | undefined) : (statement.all(params) as Row[])[0],
    );
  }

  #execute<T>(
    sql: string,
    params: Params,
    work: (prepared: Prepared, params: Params, sql: string) => T,
    statements = this.#writer.statements,
  ): T {
    const writer = this.#writer;
    writer.transaction?.assertAlive();
    this.#options.log?.(sql);
    const prepared = statements.find(sql) ?? this.#prepare(sql, statements);
    assertParameters(params);
    if (!prepared.onlyReads) writer.changes++;
    let result: T;
    try {
      result = work(prepared, params, sql);
    } catch (error) {
      result = writer.again(error, () => work(prepared, params, sql), prepared.onlyReads ? null : sql);
    }
    if (!prepared.onlyReads) writer.written();
    return result;
  }

  #prepare(sql: string, statements: StatementCache): Prepared {
    const { connection, transaction } = this.#writer;
    this.assertOpen();
    transaction?.assertStaysOpen(sql);
    try {
      // Not kept, so that it is looked at again inside a transaction.
      return endsTransaction(sql) ? prepare(connection, sql) : statements.prepare(sql);
    } catch (error) {
      throw explained(this.#writer.failed(error), this.#options.explain);
    }
  }
}
