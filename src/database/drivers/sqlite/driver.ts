import { invalidInput } from '../../../model/validation.ts';
import type { Driver, LockName, Params, Row, Steps } from '../driver.ts';
import { endsTransaction } from '../transaction.ts';
import { assertParameters } from './parameters.ts';
import type { Statement } from './statements.ts';
import { Transactions } from './transactions.ts';
import type { SqliteDriverOptions } from './writer.ts';

/** {@link Driver} over better-sqlite3: one connection that writes, and a bounded set that streams reads. */
export class SqliteDriver extends Transactions implements Driver<'sync'> {
  readonly mode = 'sync';
  readonly #explain: SqliteDriverOptions['explain'];

  constructor(options: SqliteDriverOptions) {
    super(options);
    this.#explain = options.explain;
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
    const statement = this.#statement(sql, params);
    let rows: Row[];
    try {
      rows = statement.all(params) as Row[];
    } catch (error) {
      rows = this.again(error, () => statement.all(params) as Row[], this.commits(sql, statement.readonly));
    }
    if (!statement.readonly) this.written();
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
    const statement = this.#statement(sql, params);
    let changed: number;
    try {
      changed = statement.run(params).changes;
    } catch (error) {
      changed = this.again(error, () => statement.run(params).changes, this.commits(sql, statement.readonly));
    }
    this.written();
    return map === undefined ? changed : map(changed);
  }

  /** Streams from a snapshot taken at the first `next()`; in a transaction and in memory it reads at once. */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): IterableIterator<T> {
    if (this.path === ':memory:' || this.inTransaction) return this.all(sql, params, map).values();
    this.log?.(sql);
    return this.readers.iterate(sql, params, map);
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
    if (!this.inTransaction) throw invalidInput('A lock is held by a transaction.');
  }

  #get(sql: string, params: Params): Row | undefined {
    const statement = this.#statement(sql, params);
    // get() steps once and ignores the error of the reset, in which a write commits: so a write is stepped to its end.
    const read = (): Row | undefined =>
      statement.readonly ? (statement.get(params) as Row | undefined) : (statement.all(params) as Row[])[0];
    let row: Row | undefined;
    try {
      row = read();
    } catch (error) {
      row = this.again(error, read, this.commits(sql, statement.readonly));
    }
    if (!statement.readonly) this.written();
    return row;
  }

  #statement(sql: string, params: Params): Statement {
    this.current?.assertAlive();
    this.log?.(sql);
    const statement = this.statements.find(sql) ?? this.#prepare(sql);
    assertParameters(params);
    return statement;
  }

  #prepare(sql: string): Statement {
    this.assertOpen();
    this.current?.assertStaysOpen(sql);
    try {
      // Not kept, so that it is looked at again inside a transaction.
      return endsTransaction(sql) ? this.connection.prepare(sql) : this.statements.prepare(sql);
    } catch (error) {
      const failed = this.failed(error);
      throw (failed.code === 'SQL' && this.#explain?.(failed)) || failed;
    }
  }
}
