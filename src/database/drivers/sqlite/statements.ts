import type { Connection } from './connection.ts';

export type Statement = ReturnType<Connection['prepare']>;

/**
 * The prepared statements of one connection, at most `most`. A statement takes about 16 KB outside the heap, and
 * better-sqlite3 can only leave it to garbage collection, which a loop that never awaits puts off: so each SQL text is
 * prepared once. When the cache is full, the oldest statement goes.
 */
export class StatementCache {
  readonly #connection: Connection;
  readonly #most: number;
  readonly #statements = new Map<string, Statement>();

  constructor(connection: Connection, most: number) {
    this.#connection = connection;
    this.#most = most;
  }

  /** The statement of this SQL text if it is prepared already. */
  find(sql: string): Statement | undefined {
    return this.#statements.get(sql);
  }

  /** @throws the engine's error. */
  prepare(sql: string): Statement {
    const statement = this.#connection.prepare(sql);
    if (this.#statements.size >= this.#most) {
      const [oldest = ''] = this.#statements.keys();
      this.#statements.delete(oldest);
    }
    this.#statements.set(sql, statement);
    return statement;
  }

  clear(): void {
    this.#statements.clear();
  }
}
