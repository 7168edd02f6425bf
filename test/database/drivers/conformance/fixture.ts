import type { Driver, Steps } from 'proxyvault/driver';
import { answer, type EngineOptions, type TestedEngine } from '../../../support/modes.ts';

/** Opens an engine to be tested; what it is written for has the types of an asynchronous one, see test/support/modes.ts. */
export type Open = (options?: EngineOptions) => TestedEngine;

export interface Fixture extends TestedEngine {
  add: (n: number) => Promise<number>;
  all: () => Promise<unknown[]>;
  /** What another program finds. */
  stored: () => Promise<unknown[]>;
  /** Another program on the same database. */
  peer: Driver<'async'>;
}

export async function fixture(open: Open, options: EngineOptions = {}): Promise<Fixture> {
  const tested = open(options);
  await tested.engine.script(`
    CREATE TABLE numbers (n INTEGER PRIMARY KEY, data BLOB);
    CREATE TABLE forbidden (n INTEGER);
    CREATE TRIGGER forbid BEFORE INSERT ON forbidden BEGIN SELECT RAISE(ROLLBACK, 'not here'); END;
    INSERT INTO numbers VALUES (0, NULL);
  `);
  const peer = open({ path: tested.path }).driver;
  const allOf = (driver: Driver<'async'>) => () =>
    driver.all('SELECT n FROM numbers ORDER BY n', {}, (row) => row.n);
  return {
    ...tested,
    peer,
    add: (n) => tested.driver.run('INSERT INTO numbers VALUES (:n, NULL)', { n }),
    all: allOf(tested.driver),
    stored: allOf(peer),
  };
}

export const SELECT = 'SELECT n FROM numbers ORDER BY n';
export const INSERT = 'INSERT INTO numbers (n) VALUES (:n)';

export function* steps<T>(statement: Promise<unknown>, value: T): Steps<'async', T> {
  yield* answer(statement);
  return value;
}

// biome-ignore lint/correctness/useYield: its first step throws.
export function* thrower(error: Error): Steps<'async', void> {
  throw error;
}

/** A moment that others wait for. */
export interface Moment {
  reached: Promise<void>;
  reach: () => void;
}

export function moment(): Moment {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { reached: promise, reach: resolve };
}
