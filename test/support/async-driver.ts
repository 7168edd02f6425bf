import type {
  Driver,
  ExecuteResult,
  LockName,
  Params,
  Row,
  Scope,
  Steps,
  TransactionOptions,
} from 'proxyvault/driver';
import { inject } from 'vitest';
import type { SqliteDriver } from '../../src/database/drivers/sqlite/driver.ts';
import type { SqliteEngine } from '../../src/database/drivers/sqlite/engine.ts';
import { ProxyVaultError } from '../../src/errors.ts';
import { Random } from '../faults/random.ts';
import {
  deadlockError,
  type Frame,
  givenUp,
  isRetryable,
  parentError,
  Transaction,
} from './async-transaction.ts';
import { ConnectionPool, openFile } from './connection-pool.ts';
import { LockTable } from './lock-table.ts';

export interface AsyncOptions {
  /** Decides how many turns of the event loop each answer takes. The seed of the run unless given. */
  seed?: number | undefined;
  /** How many transactions are open at a time; others wait for a connection. */
  connections?: number | undefined;
  /** How many streams are read from at a time. */
  maxReaders?: number | undefined;
  /** How often the steps of a transaction are played at most. */
  plays?: number | undefined;
  /** How long to wait for others to finish their writes. */
  patienceMs?: number | undefined;
  readonly?: boolean | undefined;
  /** Called with each connection that may write. */
  onConnect?: ((connection: SqliteDriver) => void) | undefined;
}

/** It waits for nobody: the driver does. */
const CONNECTION = { durability: 'normal', busyTimeoutMs: 0, backgroundWorkers: 1, log: null } as const;

/**
 * {@link Driver} that answers some turns of the event loop later. An outermost transaction takes a connection for itself, so
 * that transactions interleave; statements outside of one share another, and each stream has its own to read from. Two
 * transactions may read at the same time, but if one has written, the other's write is SQLITE_BUSY: then the other is rolled
 * back and its steps are played again, as an engine over a network does at a serialization failure or a deadlock.
 */
export class AsyncDriver implements Driver<'async'> {
  readonly mode = 'async';
  readonly #options: { [K in keyof AsyncOptions]-?: NonNullable<AsyncOptions[K]> };
  /** Runs what is outside of a transaction. */
  readonly shared: SqliteEngine;
  readonly #locks: LockTable;
  readonly #random: Random;
  readonly #pool: ConnectionPool;
  #isClosed = false;
  #changes = 0;
  /** Set around each step of a generator: what it issues belongs to this transaction. */
  #frame: Frame | null = null;

  constructor(path: string, options: AsyncOptions) {
    this.#options = {
      seed: options.seed ?? inject('seed'),
      connections: options.connections ?? 8,
      maxReaders: options.maxReaders ?? 4,
      plays: options.plays ?? 100,
      patienceMs: options.patienceMs ?? 5000,
      readonly: options.readonly ?? false,
      onConnect: options.onConnect ?? (() => undefined),
    };
    this.#random = new Random(this.#options.seed);
    this.#locks = locksOf(path);
    const { connections, maxReaders, readonly, onConnect } = this.#options;
    const connect = (leavesLog: boolean): SqliteEngine => {
      const engine = openFile({ ...CONNECTION, path, readonly, maxReaders, leavesLog });
      onConnect(engine.driver);
      return engine;
    };
    this.shared = connect(false);
    this.#pool = new ConnectionPool(connections, () => connect(true));
  }

  get changes(): number {
    return this.#changes;
  }

  get scope(): Scope | null {
    return this.#frame?.scope ?? null;
  }

  first<T>(sql: string, params: Params, map: (row: Row) => T): Promise<T | null> {
    return this.statement(sql, ({ driver }) => driver.first(sql, params, map));
  }

  one<T>(sql: string, params: Params, map: (row: Row | undefined) => T): Promise<T> {
    return this.statement(sql, ({ driver }) => driver.one(sql, params, map));
  }

  all<T>(sql: string, params: Params, map: (row: Row) => T | undefined): Promise<T[]>;
  all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
    finish: (values: T[]) => U,
  ): Promise<U>;
  all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
    finish?: (values: T[]) => U,
  ): Promise<T[] | U> {
    return this.statement(sql, ({ driver }) =>
      finish ? driver.all(sql, params, map, finish) : driver.all(sql, params, map),
    );
  }

  run(sql: string, params: Params): Promise<number>;
  run<T>(sql: string, params: Params, map: (changed: number) => T): Promise<T>;
  run<T>(sql: string, params: Params, map?: (changed: number) => T): Promise<number | T> {
    return this.statement(sql, ({ driver }) =>
      map ? driver.run(sql, params, map) : driver.run(sql, params),
    );
  }

  rows(sql: string, params: Params): Promise<Row[]> {
    return this.statement(sql, ({ driver }) => driver.rows(sql, params));
  }

  change(sql: string, params: Params): Promise<ExecuteResult> {
    return this.statement(sql, ({ driver }) => driver.change(sql, params));
  }

  /** In a transaction all rows are read at the first `next()`, so that the stream sees what was written. */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): AsyncGenerator<T> {
    const transaction = this.#frame?.transaction ?? null;
    return this.#stream(async () =>
      transaction === null
        ? this.shared.driver.iterate(sql, params, map)
        : this.#inside(transaction, sql, ({ driver }) => driver.all(sql, params, map).values()),
    );
  }

  async *#stream<T>(open: () => Promise<IterableIterator<T>>): AsyncGenerator<T> {
    const rows = await open();
    try {
      for (;;) {
        await this.#turns();
        const { done, value } = rows.next();
        if (done) return;
        yield value;
      }
    } finally {
      rows.return?.();
    }
  }

  async sequence<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.#drive(this.#frame, steps);
  }

  async transaction<T>(steps: () => Steps<'async', T>, options: TransactionOptions = {}): Promise<T> {
    return this.#frame === null ? this.#outermost(steps, options) : this.#nested(this.#frame, steps);
  }

  async lock(name: LockName | 'schema', mode: 'exclusive' | 'shared' = 'exclusive'): Promise<void> {
    const frame = this.#frame;
    if (frame === null) throw new ProxyVaultError('INVALID_INPUT', 'A lock is held by a transaction.');
    const { transaction } = frame;
    this.#assertInnermost(frame);
    await transaction.inOrder(async () => {
      await this.#turns();
      transaction.assertAlive();
      await this.#locks.acquire(name, transaction, mode, () => {
        const error = deadlockError(name);
        transaction.open.lose(error);
        return error;
      });
    });
  }

  afterTransaction(work: () => unknown): void {
    if (this.#frame === null) void runQuietly(work);
    else this.#frame.transaction.open.followUps.add(work);
  }

  /**
   * As `transaction`, with the foreign keys off, since SQLite would delete the rows that refer to a table which is rebuilt. Off
   * before BEGIN: https://www.sqlite.org/lang_altertable.html#otheralter
   */
  async changeSchema<T>(steps: () => Steps<'async', T>): Promise<T> {
    if (this.#frame !== null)
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'Migrations cannot run inside a transaction: return from it first.',
      );
    return this.#outermost(() => this.#alone(steps), {}, 'schema');
  }

  *#alone<T>(steps: () => Steps<'async', T>): Steps<'async', T> {
    yield this.lock('schema');
    const result = yield* steps();
    yield this.all('SELECT DISTINCT "table" AS name FROM pragma_foreign_key_check', {}, nameOf, (broken) => {
      if (broken.length > 0) throw brokenError(broken);
    });
    return result;
  }

  /**
   * What all other connections have committed changes it: those of this driver too, so that it differs more often than it must.
   * In a transaction as well, where the shared connection sees the others' work only.
   */
  async version(): Promise<number> {
    await this.#turns();
    return this.shared.version();
  }

  /** Runs a statement on the connection that it belongs to. `sql` is what it runs. */
  async statement<T>(sql: string, work: (engine: SqliteEngine) => T): Promise<T> {
    const frame = this.#frame;
    if (frame === null) return this.#outside(work);
    this.#assertInnermost(frame);
    return this.#inside(frame.transaction, sql, work);
  }

  #inside<T>(transaction: Transaction, sql: string, work: (engine: SqliteEngine) => T): Promise<T> {
    return transaction.inOrder(async () => {
      await this.#turns();
      const { driver } = transaction.engine;
      const before = driver.changes;
      try {
        return transaction.run(sql, work);
      } finally {
        this.#changes += driver.changes - before;
      }
    });
  }

  /** Nothing has happened if the lock was not to be had. */
  async #outside<T>(work: (engine: SqliteEngine) => T): Promise<T> {
    for (;;) {
      await this.#turns();
      const before = this.shared.driver.changes;
      try {
        return work(this.shared);
      } catch (error) {
        if (!isRetryable(error) || !(await this.#othersHaveWritten())) throw error;
      } finally {
        this.#changes += this.shared.driver.changes - before;
      }
    }
  }

  /** Plays the steps until nobody was in the way. What is to follow the transaction follows its last play. */
  async #outermost<T>(
    steps: () => Steps<'async', T>,
    { waitMs = Number.POSITIVE_INFINITY }: TransactionOptions,
    changes?: 'schema',
  ): Promise<T> {
    const begun = performance.now();
    const followUps = new Set<() => unknown>();
    try {
      for (let plays = 1; ; plays++) {
        try {
          return await this.#play(steps, followUps, changes);
        } catch (error) {
          if (!isRetryable(error)) throw error;
          if (plays >= this.#options.plays || !(await this.#othersHaveWritten(waitMs)))
            throw givenUp(error, plays, performance.now() - begun);
        }
      }
    } finally {
      for (const work of followUps) await runQuietly(work);
    }
  }

  async #play<T>(
    steps: () => Steps<'async', T>,
    followUps: Set<() => unknown>,
    changes?: 'schema',
  ): Promise<T> {
    this.shared.driver.assertOpen();
    const engine = await this.#pool.take();
    const transaction = new Transaction(engine);
    const { open } = transaction;
    const before = engine.driver.changes;
    try {
      if (changes === 'schema') engine.driver.pragma('foreign_keys = OFF');
      await this.#control(transaction, 'BEGIN');
      const result = await this.#drive({ transaction, scope: open.scope }, steps);
      await transaction.inOrder(() => this.#turns().then(() => transaction.commit()));
      return result;
    } catch (error) {
      await transaction.inOrder(() => transaction.rollBack());
      throw open.cause ?? error;
    } finally {
      // Only now the others of this driver see what was written.
      this.#changes += engine.driver.changes - before;
      for (const work of open.followUps) followUps.add(work);
      if (changes === 'schema' && engine.driver.open) engine.driver.pragma('foreign_keys = ON');
      this.#locks.release(transaction);
      this.#pool.giveBack(engine);
    }
  }

  async #nested<T>(parent: Frame, steps: () => Steps<'async', T>): Promise<T> {
    const { transaction } = parent;
    const { open } = transaction;
    this.#assertInnermost(parent);
    const name = `nested_${open.scope.depth}`;
    open.enter();
    try {
      await this.#control(transaction, `SAVEPOINT ${name}`);
      const result = await this.#drive({ transaction, scope: open.scope }, steps);
      await this.#control(transaction, `RELEASE ${name}`);
      return result;
    } catch (error) {
      open.scope.undo();
      if (open.cause === null) await this.#control(transaction, `ROLLBACK TO ${name}; RELEASE ${name}`);
      throw error;
    } finally {
      open.leave();
    }
  }

  #control(transaction: Transaction, sql: string): Promise<void> {
    return transaction.inOrder(async () => {
      await this.#turns();
      transaction.control(sql);
    });
  }

  async #drive<T>(frame: Frame | null, steps: () => Steps<'async', T>): Promise<T> {
    const generator = this.#within(frame, steps);
    let step = this.#within(frame, () => generator.next());
    while (!step.done) {
      const settled = await Promise.resolve(step.value).then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      step = this.#within(frame, () =>
        'error' in settled ? generator.throw(settled.error) : generator.next(settled.value),
      );
    }
    return step.value;
  }

  #within<T>(frame: Frame | null, work: () => T): T {
    const before = this.#frame;
    this.#frame = frame;
    try {
      return work();
    } finally {
      this.#frame = before;
    }
  }

  /** What the parent issued while a nested transaction is open would be undone with it. */
  #assertInnermost({ transaction, scope }: Frame): void {
    transaction.assertAlive();
    if (transaction.open.scope !== scope) throw parentError();
  }

  /** Waits until nobody is in the middle of writing; false if that takes too long. */
  async #othersHaveWritten(waitMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const patience = Math.min(waitMs, this.#options.patienceMs);
    for (const begun = performance.now(); !this.#isClosed; await this.#turns()) {
      try {
        this.shared.script('BEGIN IMMEDIATE; ROLLBACK');
        return true;
      } catch (error) {
        if (!isRetryable(error)) throw error;
      }
      if (performance.now() - begun >= patience) return false;
    }
    return false;
  }

  async #turns(): Promise<void> {
    for (let left = 1 + this.#random.below(3); left > 0; left--)
      await new Promise<void>((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.#isClosed = true;
    this.#changes++;
    this.#pool.close();
    this.shared.close();
  }
}

/** The locks of a file are the same for all who have it open. */
const locks = new Map<string, LockTable>();

function locksOf(path: string): LockTable {
  const found = locks.get(path) ?? new LockTable();
  locks.set(path, found);
  return found;
}

function nameOf(row: Row): string {
  return String(row.name);
}

function brokenError(tables: string[]): ProxyVaultError {
  return new ProxyVaultError(
    'MIGRATION_FAILED',
    `Rows of ${tables.join(', ')} would refer to rows that are gone; everything was rolled back.`,
  );
}

/** A typed error does not matter: what the transaction ended with counts. */
async function runQuietly(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
  }
}
