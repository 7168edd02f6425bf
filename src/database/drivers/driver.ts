import type { ProxyVaultError } from '../../errors.ts';

/**
 * The seam between the repositories and an engine. A repository is written once against {@link Driver};
 * the mode decides whether its methods answer with a value (SQLite) or a promise (a network engine).
 *
 * To add an engine, write a folder beside sqlite/:
 *
 * 1. `errors.ts` turns the engine's errors into ours: by the engine's code, never by message text, and without the value of a
 *    parameter in a message. BUSY has `details.waitedMs` if nothing happened yet, so that the caller may repeat its work.
 * 2. {@link Driver}: `first`, `one`, `all`, `run`, `rows` and `change`. Check the type of each parameter before the engine sees it, and turn
 *    named parameters into the engine's own form once for each SQL text.
 * 3. `transaction` and `sequence`. `OpenTransaction` (transaction.ts) keeps account of scopes, and of a transaction that the
 *    engine has ended. A driver with many connections notes whose generator it resumes. If two transactions are in each
 *    other's way, play the steps of one again from the beginning; never repeat a commit whose outcome is unknown.
 * 4. `lock`, by the names of {@link LockName}, if the engine has several writers; `afterTransaction`; `iterate`.
 * 5. {@link Engine}: first `version`, `script`, `objects`, `columnsOf`, `snapshot`, `changeSchema` and `tryOut`, which the migration runner
 *    needs; then `background`, `findDamage`, `eachRow` and `sizes`, which `check` and `stats` need, and
 *    `beforeClose` (before-close.ts), which choosing needs.
 * 6. An opener beside manager.ts, which gives a {@link Session} and a `MigrationRunner`; the schema and the migrations in the
 *    engine's dialect, if it does not take ours.
 * 7. Run test/database/drivers/conformance.ts over it: it tests every law of this file.
 */
export type Mode = 'sync' | 'async';

/** A value in sync mode, a promise of it in async mode. */
export type Result<M extends Mode, T> = M extends 'sync' ? T : Promise<T>;

/** What a statement parameter may be, but not NaN. Booleans are stored as 0 and 1 by the repositories. */
export type SqlValue = string | number | bigint | Uint8Array | null;

/** Named parameters: `:name` in the SQL is `name` here. */
export type Params = Readonly<Record<string, SqlValue>>;

/** A result row, by column name. */
export type Row = Record<string, SqlValue>;

/** What a statement of an application changed. */
export interface ExecuteResult {
  /** How many rows were inserted, updated or deleted; 0 for a statement that only changes the schema. */
  changes: number;
  /**
   * The row id of the last row that an INSERT has inserted; an integer that a number cannot hold is a bigint. Absent if nothing was
   * inserted, for an upsert (`DO UPDATE`), with RETURNING, in a table WITHOUT ROWID, and on an engine without row ids. `INSERT … RETURNING id` works everywhere.
   */
  lastInsertRowid?: number | bigint;
}

/** The body of a transaction: it yields the result of each statement, and is given back its value (awaited in async mode). */
export type Steps<M extends Mode, T> = Generator<Result<M, unknown>, T, unknown>;

/**
 * One statement of some steps, and its value: `const row = yield* step(db.first(…))`.
 *
 * @example
 * function* enable<M extends Mode>(proxies: ProxyRepository<M>, id: string): Steps<M, boolean> {
 *   if (!(yield* step(proxies.exists(id)))) return false;
 *   yield* step(proxies.update(id, { status: 'active' }));
 *   return true;
 * }
 */
export function* step<M extends Mode, T>(result: Result<M, T>): Steps<M, T> {
  return (yield result) as T;
}

/**
 * A promise of a result in either mode, for what takes long and lets others have their turn.
 *
 * @example
 * async function sizeOf<M extends Mode>(session: Session<M>): Promise<number> {
 *   return settled(new ProxyRepository(session).count());
 * }
 */
export async function settled<M extends Mode, T>(result: Result<M, T>): Promise<T> {
  return await (result as T | Promise<T>);
}

/** Rows as they come. */
export type Stream<M extends Mode, T> = M extends 'sync' ? IterableIterator<T> : AsyncIterableIterator<T>;

/** A transaction, or a savepoint in one, to which the statements belong that are issued now. */
export interface Scope {
  /** Whether what was done in it is undone, also by a rollback around it. Final once the outermost transaction has ended. */
  readonly isUndone: boolean;
  /** The outermost transaction that it is a part of, which is the same object for all of its savepoints. */
  readonly transaction: Scope;
}

/** How a transaction waits. */
export interface TransactionOptions {
  /**
   * It waits at most this long for the locks of others, and no longer than the busy timeout, before it throws BUSY: for work that can
   * be done later, and must not hold up the program. In milliseconds. Inside another transaction it changes nothing.
   */
  waitMs?: number | undefined;
}

/**
 * What only one transaction does at a time, on an engine with several writers. SQLite has one writer, so `lock` does nothing there.
 *
 * - `first key`: making the first data key, so that two hosts do not each make one.
 * - `data keys`: shared by whoever encrypts, exclusive for whoever retires a key, so that no ciphertext outlives its key.
 * - `tags`: removing the proxies that left a list, which another import may just have given a second tag.
 * - `rotation config`: merging an update into the stored configuration.
 * - `hand-out`: what a hand-out stores at once: the proxy of a session or domain, an interval, the first hand-out of a process.
 */
export type LockName = 'first key' | 'data keys' | 'tags' | 'rotation config' | 'hand-out';

/**
 * Runs SQL for the repositories. Prepares each SQL text once; all engine errors are `ProxyVaultError`s. A parameter that is
 * no {@link SqlValue} is INVALID_INPUT. In async mode every method rejects, and never throws before its promise exists.
 *
 * A transaction that throws has stored nothing. An engine may roll a whole transaction back by itself, as SQLite does on a full
 * disk, an I/O error or a trigger's RAISE(ROLLBACK), and the caller may catch that error at any depth. From then on every
 * statement of the transaction throws, and the outermost `transaction` throws the first cause, even if its steps return normally.
 * COMMIT, END and ROLLBACK in a statement of the caller are not run, and have the same effect. An error that ends only its
 * statement, such as CONSTRAINT, leaves the transaction as it is.
 *
 * A statement belongs to the transaction between two of whose steps it is issued: call the driver in the generator itself, never
 * after an `await`. Statements that one step issues together run in their order. While a nested transaction is open, a statement
 * of the steps around it is INVALID_INPUT, since it would be undone with the nested one.
 */
export interface Driver<M extends Mode> {
  readonly mode: M;
  /** The innermost open transaction or savepoint; null outside. */
  readonly scope: Scope | null;
  /**
   * How many statements through this driver may have written so far. A long transaction counts when it ends, and a rollback
   * counts too, and so does closing. So what was read from the database is as it was while this and {@link Engine.version} are the same.
   */
  readonly changes: number;
  /** The first row, mapped, or null. */
  first<T>(sql: string, params: Params, map: (row: Row) => T): Result<M, T | null>;
  /** What `map` makes of the first row, or of there being no row. */
  one<T>(sql: string, params: Params, map: (row: Row | undefined) => T): Result<M, T>;
  /** All rows, mapped; a row for which `map` gives undefined is left out. */
  all<T>(sql: string, params: Params, map: (row: Row) => T | undefined): Result<M, T[]>;
  /** What `finish` makes of all rows, mapped. */
  all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
    finish: (values: T[]) => U,
  ): Result<M, U>;
  /** Runs a statement; gives the number of rows that it changed. */
  run(sql: string, params: Params): Result<M, number>;
  /** Runs a statement; gives what `map` makes of the number of rows that it changed. */
  run<T>(sql: string, params: Params, map: (changed: number) => T): Result<M, T>;
  /**
   * All rows of a statement of the application. They are exact: an integer that a number cannot hold is a bigint, others are numbers.
   *
   * @throws INVALID_INPUT, and nothing is run, if the statement gives no rows.
   */
  rows(sql: string, params: Params): Result<M, Row[]>;
  /**
   * Runs a statement of the application that changes something.
   *
   * @throws INVALID_INPUT, and nothing is run, if it only reads.
   */
  change(sql: string, params: Params): Result<M, ExecuteResult>;
  /**
   * One write transaction over all steps; nests by savepoint; rolls back on a throw. If two transactions are in each other's way,
   * an engine with several writers stores nothing and plays the steps again from the beginning, also if they have caught the
   * error; after some plays it gives up with BUSY. So steps must not change anything but the database.
   */
  transaction<T>(steps: () => Steps<M, T>, options?: TransactionOptions): Result<M, T>;
  /** Runs steps without a transaction of their own; inside a transaction they are part of it. */
  sequence<T>(steps: () => Steps<M, T>): Result<M, T>;
  /**
   * Waits until no other transaction holds this lock (or only shares it), and holds it to the end of the outermost transaction.
   *
   * @throws INVALID_INPUT outside a transaction.
   */
  lock(name: LockName, mode?: 'exclusive' | 'shared'): Result<M, void>;
  /**
   * Runs `work` once, however often it is given, after the outermost transaction (at once outside of one), committed or rolled
   * back; if its steps were played again, after the last play. In async mode its promise is awaited. A typed error of it is
   * ignored: what the transaction ended with counts.
   */
  afterTransaction(work: () => unknown): void;
  /**
   * Streams rows from a read connection of its own while others write; leaves rows out as `all` does. A stream holds nothing before
   * its first `next()`, and nothing after its end, a throw or `return()`. In a transaction it sees what that has written, and
   * must be read before it ends.
   */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): Stream<M, T>;
}

/** A table, index, trigger or view. */
export interface SchemaObject {
  type: string;
  name: string;
  /** With white space folded. */
  sql: string;
}

/** How much of the write-ahead log a checkpoint moved, in pages. `complete` is false if others held it up. */
export interface CheckpointResult {
  complete: boolean;
  walPages: number;
  movedPages: number;
}

/** What a vacuum gave back to the file system. */
export interface VacuumResult {
  /** By how many bytes the file is smaller now; 0 in memory. */
  freedBytes: number;
  /** False if a reader that came meanwhile still holds the log: the file shrinks at a later checkpoint. */
  complete: boolean;
}

/** Reads that hold up neither the event loop nor a writer. What an open transaction has written, they do not see. */
export interface BackgroundReads {
  /** All rows of a query, exact as those of `Driver.rows`. @throws CLOSED if the database is closed before the end; the signal's reason if it is aborted. */
  all(sql: string, params?: Params, options?: { signal?: AbortSignal }): Promise<Row[]>;
}

/** What an engine finds wrong with its own data. */
export interface Damage {
  problems: string[];
  /** Rows that refer to a row that is not there. */
  brokenReferences: { table: string; rowid: number | null; parent: string }[];
}

export interface Sizes {
  /** The version of the engine. */
  version: string;
  fileBytes: number;
  logBytes: number;
  pageSize: number;
  pageCount: number;
  freePages: number;
}

/** What an engine does besides the statements of the repositories. */
export interface Engine<M extends Mode> {
  readonly driver: Driver<M>;
  readonly background: BackgroundReads;
  /** A number that is another one once somebody else has committed something, in this process or another: cheap enough to ask often. */
  version(): Result<M, number>;
  /** Runs several statements without parameters, such as those of a migration. */
  script(sql: string): Result<M, void>;
  /** Every table, index, trigger and view but the engine's own, by type and name. */
  objects(): Result<M, SchemaObject[]>;
  /** The names of a table's columns, in order; empty if there is no such table. */
  columnsOf(table: string): Result<M, string[]>;
  /** Runs steps whose reads all see the same state of the database, whatever others commit. They must not write. */
  snapshot<T>(steps: () => Steps<M, T>): Result<M, T>;
  /**
   * One transaction that changes the schema, alone: others that change it wait. A rebuilt table keeps the rows that refer to it.
   *
   * @throws MIGRATION_FAILED if rows would refer to rows that are gone; then nothing was changed. INVALID_INPUT inside a transaction.
   */
  changeSchema<T>(steps: () => Steps<M, T>): Result<M, T>;
  /** Runs `steps` on an empty database that is thrown away, to see what migrations make. */
  tryOut<T>(steps: (engine: Engine<M>) => Steps<M, T>): Result<M, T>;
  /** Moves the engine's log into the database and empties it, so that nothing old is left in it. */
  checkpoint(): Result<M, CheckpointResult>;
  sizes(): Result<M, Sizes>;
  /**
   * Runs `work` once when the engine is about to be closed, while it can still be used; gives a function that takes it back. If it
   * throws, the engine is closed all the same, and then `close` throws the first such error. An engine that closes itself after a
   * failure does not run it.
   *
   * @throws CLOSED: nothing would run it.
   */
  beforeClose(work: () => Result<M, void>): () => void;
  /** Looks for damage, in the background; `deep` also compares every index with its table. */
  findDamage(deep: boolean): Promise<Damage>;
  /** Shows every row of a table, in the background and page by page, also those whose key is malformed. */
  eachRow(table: string, use: (row: Row) => void): Promise<void>;
}

/** What repositories and services need of the manager: an open database, the time, and who hears of malformed rows. */
export interface Session<M extends Mode> {
  readonly driver: Driver<M>;
  readonly engine: Engine<M>;
  readonly clock: Clock;
  /** Called with INVALID_ROW for each row that is left out of a list; a process warning unless given. */
  readonly onInvalidRow?: ((error: ProxyVaultError) => void) | undefined;
  /** Called before a key is made or credentials are stored: throws if others could change where they are sent. */
  readonly assertMayHoldCredentials?: (() => void) | undefined;
}

/** The current time in milliseconds since the Unix epoch. */
export type Clock = () => number;
