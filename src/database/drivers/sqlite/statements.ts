import { isUint8Array } from 'node:util/types';
import type { Statement } from 'better-sqlite3';

import { invalidInput } from '../../../model/validation.ts';
import type { Params } from '../driver.ts';
import type { Connection } from './connection.ts';

export interface Prepared {
  statement: Statement;
  /** Whether it gives rows and writes nothing. Asked once, since better-sqlite3 is slow to answer. */
  onlyReads: boolean;
}

/**
 * @param isExact whether it gives every integer as a bigint.
 * @throws INVALID_INPUT for a NUL character: SQLite would take it for the end, and a WHERE after it would be lost.
 */
export function prepare(connection: Connection, sql: string, isExact = false): Prepared {
  if (sql.includes('\0')) throw invalidInput('The SQL must not have a NUL character.');
  const statement = connection.prepare(sql);
  if (isExact) statement.safeIntegers(true);
  // SQLite calls BEGIN and COMMIT read-only too.
  return { statement, onlyReads: statement.readonly && statement.reader };
}

/**
 * The prepared statements of one connection, at most `most`. A statement takes about 16 KB outside the heap, and
 * better-sqlite3 can only leave it to garbage collection, which a loop that never awaits puts off: so each SQL text is
 * prepared once. When the cache is full, the oldest statement goes.
 */
export class StatementCache {
  readonly connection: Connection;
  readonly #most: number;
  readonly #isExact: boolean;
  readonly #prepared = new Map<string, Prepared>();

  constructor(connection: Connection, most: number, isExact = false) {
    this.connection = connection;
    this.#most = most;
    this.#isExact = isExact;
  }

  /** The statement of this SQL text if it is prepared already. */
  find(sql: string): Prepared | undefined {
    return this.#prepared.get(sql);
  }

  /** @throws the engine's error. */
  prepare(sql: string): Prepared {
    const prepared = prepare(this.connection, sql, this.#isExact);
    if (this.#prepared.size >= this.#most) {
      const [oldest = ''] = this.#prepared.keys();
      this.#prepared.delete(oldest);
    }
    this.#prepared.set(sql, prepared);
    return prepared;
  }

  clear(): void {
    this.#prepared.clear();
  }
}

/**
 * SQLite would store undefined and NaN as NULL, and any typed array as its bytes.
 *
 * @throws INVALID_INPUT, which names the parameter and never its value.
 */
export function assertParameters(params: Params): void {
  for (const name in params) {
    const value: unknown = params[name];
    const type = typeof value;
    if (type === 'string' || type === 'bigint' || value === null) continue;
    if (type === 'number' && !Number.isNaN(value)) continue;
    if (isUint8Array(value)) continue;
    throw invalidInput(
      `The parameter ${name} must be a string, a number, a bigint, a Uint8Array or null, and is ${type === 'number' ? 'NaN' : `of the type ${type}`}.`,
      { parameter: name },
    );
  }
}
