import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type {
  BackgroundReads,
  CheckpointResult,
  Damage,
  DatabaseManager,
  Driver,
  Engine,
  LockName,
  Params,
  Row,
  SchemaObject,
  Scope,
  Session,
  Sizes,
  Steps,
} from 'proxyvault/database';
import { inject, onTestFinished } from 'vitest';
import type { SqliteDriver } from '../../src/database/drivers/sqlite/driver.ts';
import { SqliteEngine, type SqliteEngineOptions } from '../../src/database/drivers/sqlite/engine.ts';
import { OpenTransaction } from '../../src/database/drivers/transaction.ts';
import { ProxyVaultError } from '../../src/errors.ts';
import { LockTable } from './lock-table.ts';
import { temporaryFolder } from './temporary.ts';

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

/** The file of `db` through an engine that answers with promises, as one over a network will. */
export function asyncSession(
  db: DatabaseManager,
  options: AsyncOptions = {},
): Session<'async'> & { engine: AsyncEngine } {
  const engine = new AsyncEngine(db.path, options);
  onTestFinished(() => engine.close());
  const { clock, onInvalidRow, assertMayHoldCredentials } = db;
  return { driver: engine.driver, engine, clock, onInvalidRow, assertMayHoldCredentials };
}

/** {@link Engine} over a file of SQLite, with a connection for each transaction. */
export class AsyncEngine implements Engine<'async'> {
  readonly driver: AsyncDriver;
  readonly background: BackgroundReads;

  constructor(path: string, options: AsyncOptions = {}) {
    if (path === ':memory:') throw new Error('A database in memory has one connection: use a file.');
    this.driver = new AsyncDriver(path, options);
    this.background = this.driver.shared.background;
  }

  script(sql: string): Promise<void> {
    return this.driver.statement(sql, (engine) => engine.script(sql));
  }

  objects(): Promise<SchemaObject[]> {
    return this.driver.statement('', (engine) => engine.objects());
  }

  columnsOf(table: string): Promise<string[]> {
    return this.driver.statement('', (engine) => engine.columnsOf(table));
  }

  /** A transaction sees one state from its first read on, and one that only reads is in nobody's way. */
  snapshot<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.driver.transaction(steps);
  }

  changeSchema<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.driver.changeSchema(steps);
  }

  async tryOut<T>(steps: (engine: Engine<'async'>) => Steps<'async', T>): Promise<T> {
    const folder = temporaryFolder();
    const engine = new AsyncEngine(join(folder, 'empty.db'));
    try {
      return await engine.driver.sequence(() => steps(engine));
    } finally {
      engine.close();
      rmSync(folder, { recursive: true });
    }
  }

  checkpoint(): Promise<CheckpointResult> {
    return this.driver.statement('', (engine) => engine.checkpoint());
  }

  sizes(): Promise<Sizes> {
    return this.driver.statement('', (engine) => engine.sizes());
  }

  findDamage(deep: boolean): Promise<Damage> {
    return this.driver.shared.findDamage(deep);
  }

  eachRow(table: string, use: (row: Row) => void): Promise<void> {
    return this.driver.shared.eachRow(table, use);
  }

  /** Statements of transactions that are open find it closed, and nothing of these transactions is stored. */
  close(): void {
    this.driver.close();
  }
}

/** An outermost transaction, from its BEGIN to its end, on a connection of its own. */
class Transaction {
  readonly engine: SqliteEngine;
  readonly open = new OpenTransaction();
  #hasEnded = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(engine: SqliteEngine) {
    this.engine = engine;
  }

  /** Runs `work` after everything that was asked of this transaction before. */
  inOrder<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Runs a statement; the transaction is lost if it must be played again, or if the engine has left it. */
  run<T>(sql: string, work: (engine: SqliteEngine) => T): T {
    this.assertAlive();
    this.open.assertStaysOpen(sql);
    try {
      return work(this.engine);
    } catch (error) {
      if (error instanceof ProxyVaultError && (isRetryable(error) || !this.engine.driver.inTransaction))
        this.open.lose(error);
      throw error;
    }
  }

  /** BEGIN, SAVEPOINT and the like. */
  control(sql: string): void {
    this.assertAlive();
    this.engine.script(sql);
  }

  /** @throws INVALID_INPUT if a nested transaction is still open. */
  commit(): void {
    if (this.open.depth > 0) this.open.lose(parentError());
    this.control('COMMIT');
    this.#hasEnded = true;
  }

  rollBack(): void {
    this.#hasEnded = true;
    this.open.undo();
    if (this.engine.driver.inTransaction) this.engine.script('ROLLBACK');
  }

  assertAlive(): void {
    this.open.assertAlive();
    if (this.#hasEnded)
      throw new ProxyVaultError('INVALID_INPUT', 'The transaction of this statement has ended.');
  }
}

/** A transaction or savepoint whose steps run at this moment. */
interface Frame {
  transaction: Transaction;
  scope: Scope;
}

/**
 * {@link Driver} that answers some turns of the event loop later. An outermost transaction takes a connection for itself, so
 * that transactions interleave; statements outside of one share another, and each stream has its own to read from. Two
 * transactions may read at the same time, but if one has written, the other's write is SQLITE_BUSY: then the other is rolled
 * back and its steps are played again, as an engine over a network does at a serialization failure or a deadlock.
 */
class AsyncDriver implements Driver<'async'> {
  readonly mode = 'async';
  readonly #path: string;
  readonly #options: { [K in keyof AsyncOptions]-?: NonNullable<AsyncOptions[K]> };
  /** Runs what is outside of a transaction. */
  readonly shared: SqliteEngine;
  readonly #locks: LockTable;
  readonly #random: () => number;
  readonly #idle: SqliteEngine[] = [];
  readonly #taken = new Set<SqliteEngine>();
  /** Those who wait for a connection, in the order in which they came. */
  readonly #queue: ((engine: SqliteEngine) => void)[] = [];
  #isClosed = false;
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
    this.#path = path;
    this.#random = randomFrom(this.#options.seed);
    this.#locks = locksOf(path);
    this.shared = this.#connect(false);
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

  async transaction<T>(steps: () => Steps<'async', T>): Promise<T> {
    return this.#frame === null ? this.#outermost(steps) : this.#nested(this.#frame, steps);
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
    else this.#frame.transaction.open.followUpWith(work);
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
    return this.#outermost(() => this.#alone(steps), 'schema');
  }

  *#alone<T>(steps: () => Steps<'async', T>): Steps<'async', T> {
    yield this.lock('schema');
    const result = yield* steps();
    yield this.all('SELECT DISTINCT "table" AS name FROM pragma_foreign_key_check', {}, nameOf, (broken) => {
      if (broken.length > 0) throw brokenError(broken);
    });
    return result;
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
      return transaction.run(sql, work);
    });
  }

  /** Nothing has happened if the lock was not to be had. */
  async #outside<T>(work: (engine: SqliteEngine) => T): Promise<T> {
    for (;;) {
      await this.#turns();
      try {
        return work(this.shared);
      } catch (error) {
        if (!isRetryable(error) || !(await this.#othersHaveWritten())) throw error;
      }
    }
  }

  /** Plays the steps until nobody was in the way. What is to follow the transaction follows its last play. */
  async #outermost<T>(steps: () => Steps<'async', T>, changes?: 'schema'): Promise<T> {
    const begun = performance.now();
    const followUps = new Set<() => unknown>();
    try {
      for (let plays = 1; ; plays++) {
        try {
          return await this.#play(steps, followUps, changes);
        } catch (error) {
          if (!isRetryable(error)) throw error;
          if (plays >= this.#options.plays || !(await this.#othersHaveWritten()))
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
    const engine = await this.#take();
    const transaction = new Transaction(engine);
    const { open } = transaction;
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
      for (const work of open.followUps) followUps.add(work);
      if (changes === 'schema' && engine.driver.open) engine.driver.pragma('foreign_keys = ON');
      this.#locks.release(transaction);
      this.#giveBack(engine);
    }
  }

  async #nested<T>(parent: Frame, steps: () => Steps<'async', T>): Promise<T> {
    const { transaction } = parent;
    const { open } = transaction;
    this.#assertInnermost(parent);
    const name = `nested_${open.depth}`;
    open.enter();
    try {
      await this.#control(transaction, `SAVEPOINT ${name}`);
      const result = await this.#drive({ transaction, scope: open.scope }, steps);
      await this.#control(transaction, `RELEASE ${name}`);
      return result;
    } catch (error) {
      open.undo();
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
  async #othersHaveWritten(): Promise<boolean> {
    for (const begun = performance.now(); !this.#isClosed; await this.#turns()) {
      try {
        this.shared.script('BEGIN IMMEDIATE; ROLLBACK');
        return true;
      } catch (error) {
        if (!isRetryable(error)) throw error;
      }
      if (performance.now() - begun >= this.#options.patienceMs) return false;
    }
    return false;
  }

  async #turns(): Promise<void> {
    for (let left = 1 + Math.floor(this.#random() * 3); left > 0; left--)
      await new Promise<void>((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.#isClosed = true;
    for (const engine of [...this.#idle, ...this.#taken, this.shared]) {
      if (engine.driver.inTransaction) engine.script('ROLLBACK');
      engine.close();
    }
  }

  async #take(): Promise<SqliteEngine> {
    this.shared.driver.assertOpen();
    if (this.#idle.length === 0 && this.#taken.size === this.#options.connections)
      return new Promise((resolve) => this.#queue.push(resolve));
    const engine = this.#idle.pop() ?? this.#connect(true);
    this.#taken.add(engine);
    return engine;
  }

  #giveBack(engine: SqliteEngine): void {
    const next = this.#queue.shift();
    if (next) next(engine);
    else {
      this.#taken.delete(engine);
      this.#idle.push(engine);
    }
  }

  #connect(leavesLog: boolean): SqliteEngine {
    const options: SqliteEngineOptions = {
      path: this.#path,
      readonly: this.#options.readonly,
      durability: 'normal',
      busyTimeoutMs: 0,
      maxReaders: this.#options.maxReaders,
      backgroundWorkers: 1,
      log: null,
      leavesLog,
    };
    const engine = openFile(options);
    this.#options.onConnect(engine.driver);
    return engine;
  }
}

/** A file that is there was made by the test itself: to look whether it is sound takes longer than to open it. */
export function openFile(options: SqliteEngineOptions): SqliteEngine {
  return existsSync(options.path) ? new SqliteEngine(options) : SqliteEngine.open(options);
}

/** The locks of a file are the same for all who have it open. */
const locks = new Map<string, LockTable>();

function locksOf(path: string): LockTable {
  const found = locks.get(path) ?? new LockTable();
  locks.set(path, found);
  return found;
}

/** What 40001 and 40P01 are to PostgreSQL, wherever it is among the causes: two transactions were in each other's way. */
function isRetryable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!(cause instanceof ProxyVaultError)) continue;
    const { isDeadlock, sqlite } = cause.details;
    if (isDeadlock === true || String(sqlite).startsWith('SQLITE_BUSY')) return true;
  }
  return false;
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

function deadlockError(lock: string): ProxyVaultError {
  return new ProxyVaultError('BUSY', `Two transactions wait for each other at the lock "${lock}".`, {
    details: { isDeadlock: true },
  });
}

function givenUp(cause: unknown, plays: number, waited: number): ProxyVaultError {
  const message = `Others were in the way of this transaction ${plays} times: try again. Nothing of it was stored.`;
  return new ProxyVaultError('BUSY', message, { cause, details: { waitedMs: Math.round(waited) } });
}

function parentError(): ProxyVaultError {
  return new ProxyVaultError(
    'INVALID_INPUT',
    'A nested transaction is open: yield it, and issue the next statement after its end.',
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

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
