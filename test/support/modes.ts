import { join } from 'node:path';
import type { DatabaseManager, DatabaseOptions } from 'proxyvault/database';
import type { Driver, Engine, Session, Steps } from 'proxyvault/driver';
import { onTestFinished } from 'vitest';
import { step } from '../../src/database/drivers/driver.ts';
import type { SqliteDriver } from '../../src/database/drivers/sqlite/driver.ts';
import { AsyncEngine, asyncSession } from './async-engine.ts';
import { openFile } from './connection-pool.ts';
import { openMigrated, temporaryFolder } from './temporary.ts';

/**
 * Tests of both modes are written once, for the asynchronous one: `await` does nothing to a value, and `for await` goes through
 * what is there. So the synchronous session and driver have the types of the asynchronous ones here.
 */
export const MODES = ['sync', 'async'] as const;
export type TestMode = (typeof MODES)[number];

/** The session of this mode over the file of `db`. */
function sessionOf(mode: TestMode, db: DatabaseManager): Session<'async'> {
  return mode === 'async' ? asyncSession(db) : (db as unknown as Session<'async'>);
}

/**
 * A pool with its tables, and the session of this mode over it.
 *
 * @returns `db` to look at what is stored, and to change it by hand.
 */
export function openSession(
  mode: TestMode,
  options: Partial<DatabaseOptions> = {},
): { db: DatabaseManager; session: Session<'async'> } {
  const db = openMigrated(mode === 'sync' ? { durability: 'normal', ...options } : options);
  return { db, session: sessionOf(mode, db) };
}

export interface EngineOptions {
  /** The database of another engine; a new one unless given. */
  path?: string;
  readonly?: boolean;
  maxReaders?: number;
  /** How large the database may become. */
  pages?: number;
  /** How often an asynchronous engine plays the steps of a transaction. */
  plays?: number;
}

export interface TestedEngine {
  path: string;
  engine: Engine<'async'>;
  driver: Driver<'async'>;
  close: () => unknown;
}

/** An engine of this mode over a database of its own. It waits for nobody for longer than a fifth of a second. */
export function openEngine(mode: TestMode, options: EngineOptions = {}): TestedEngine {
  const {
    path = join(temporaryFolder(), 'pool.db'),
    readonly = false,
    maxReaders = 4,
    pages,
    plays,
  } = options;
  const onConnect = (connection: SqliteDriver): void => {
    if (pages !== undefined) connection.pragma(`max_page_count = ${pages}`);
  };
  if (mode === 'async') {
    const engine = new AsyncEngine(path, { readonly, maxReaders, plays, patienceMs: 200, onConnect });
    onTestFinished(() => engine.close());
    return { path, engine, driver: engine.driver, close: () => engine.close() };
  }
  const engine = openFile({
    path,
    readonly,
    durability: 'normal',
    busyTimeoutMs: 200,
    maxReaders,
    backgroundWorkers: 1,
    log: null,
  });
  onConnect(engine.driver);
  const close = (): void => engine.close();
  onTestFinished(close);
  return {
    path,
    engine: engine as unknown as Engine<'async'>,
    driver: engine.driver as unknown as Driver<'async'>,
    close,
  };
}

/** One step of a transaction, and its value. */
export function* answer<T>(statement: Promise<T>): Steps<'async', T> {
  return yield* step<'async', T>(statement);
}

/** What `work` throws or rejects with. */
export async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('it threw nothing');
}

/**
 * What a method gives. In async mode that is a promise, a stream or the steps of a transaction, whatever the method was given:
 * bad input is rejected, and never thrown before there is a promise.
 */
export function resultOf(mode: TestMode, call: () => unknown): unknown {
  if (mode === 'sync') return call();
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    throw new Error('it threw before there was a promise', { cause: error });
  }
  if (result instanceof Promise || isStream(result) || isSteps(result)) return result;
  throw new Error('it gave no promise');
}

function isStream(result: unknown): boolean {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
}

/** Whether these are steps of a transaction, which have not begun. */
export function isSteps(result: unknown): result is Steps<'async', unknown> {
  return Object.prototype.toString.call(result) === '[object Generator]';
}

/** Everything that a stream gives. */
export async function listOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of stream) list.push(value);
  return list;
}

/** What an asynchronous function makes of each of these, one after another. */
export async function inTurn<T, U>(
  list: Iterable<T>,
  work: (item: T, index: number) => U | Promise<U>,
): Promise<U[]> {
  const made: U[] = [];
  for (const item of list) made.push(await work(item, made.length));
  return made;
}
