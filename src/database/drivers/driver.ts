import type { ProxyVaultError } from '../../errors.ts';

/**
 * The seam between the repositories and an engine. A repository is written once against {@link Driver};
 * the mode decides whether its methods answer with a value (SQLite) or a promise (a network engine).
 */
export type Mode = 'sync' | 'async';

/** A value in sync mode, a promise of it in async mode. */
export type Result<M extends Mode, T> = M extends 'sync' ? T : Promise<T>;

/** What a statement parameter may be. Booleans are stored as 0 and 1 by the repositories. */
export type SqlValue = string | number | bigint | Uint8Array | null;

/** Named parameters: `:name` in the SQL is `name` here. */
export type Params = Readonly<Record<string, SqlValue>>;

/** A result row, by column name. */
export type Row = Record<string, SqlValue>;

/**
 * The body of a compound transaction: a generator that yields the result of each statement and is given
 * back its value (awaited first, in async mode).
 */
export type Steps<M extends Mode, T> = Generator<Result<M, unknown>, T, unknown>;

/** Rows as they come: in sync mode an iterator, in async mode an async one. */
export type Stream<M extends Mode, T> = M extends 'sync' ? IterableIterator<T> : AsyncIterableIterator<T>;

/** How much of the write-ahead log a checkpoint moved, in pages. `complete` is false if others held it up. */
export interface CheckpointResult {
  complete: boolean;
  walPages: number;
  movedPages: number;
}

/**
 * Runs SQL for the repositories. Prepares each SQL text once; all engine errors are `ProxyVaultError`s.
 *
 * A transaction that throws has stored nothing. An engine may roll a whole transaction back by itself, as SQLite does on
 * a full disk, an I/O error or a trigger's RAISE(ROLLBACK), and the caller may catch that error at any depth. From then
 * on every statement of the transaction throws, in whichever method, and the outermost `transaction` throws the first
 * cause, even if its steps return normally. COMMIT, END and ROLLBACK in a statement of the caller are not run, and
 * have the same effect. An error that ends only its statement, such as CONSTRAINT, leaves the transaction as it is.
 * `transaction.ts` keeps account of this for every driver; test/database/drivers/conformance.ts tests it.
 */
export interface Driver<M extends Mode> {
  readonly mode: M;
  /** Another number for each outermost transaction while it is open; 0 outside. */
  readonly transactionNumber: number;
  /** How many transactions and savepoints were rolled back. */
  readonly rollbacks: number;
  /** The first row, mapped, or null. */
  first<T>(sql: string, params: Params, map: (row: Row) => T): Result<M, T | null>;
  /** What `map` makes of the first row, or of there being none. */
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
  /** One write transaction over all steps; nests by savepoint; rolls back on a throw. */
  transaction<T>(steps: () => Steps<M, T>): Result<M, T>;
  /**
   * Has `work` run when the outermost transaction that is open has ended, committed or rolled back; at once if none is open.
   * It is run once, however often it is given. A typed error of it is ignored: what the transaction ended with counts.
   */
  afterTransaction(work: () => void): void;
  /**
   * Streams rows from a read connection of its own, so that writes can happen meanwhile; leaves rows out as `all` does. A
   * stream holds nothing before its first `next()`, and nothing after its end, a throw or `return()`.
   */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): Stream<M, T>;
  /** Moves the engine's log into the database and empties it, so that nothing old is left in it. */
  checkpoint(): Result<M, CheckpointResult>;
}

/** What a repository needs of the manager: a driver, the time, who hears of malformed rows, and whether it may hold logins. */
export interface Session<M extends Mode> {
  readonly driver: Driver<M>;
  readonly clock: Clock;
  /** Called with INVALID_ROW for each row that is left out of a list; a process warning unless given. */
  readonly onInvalidRow?: ((error: ProxyVaultError) => void) | undefined;
  /** Called before a key is made or credentials are stored: throws if others could change where they are sent. */
  readonly assertMayHoldCredentials?: (() => void) | undefined;
}

/** The current time in milliseconds since the Unix epoch. Tests inject one. */
export type Clock = () => number;
