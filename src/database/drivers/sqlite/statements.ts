import type { Connection } from './connection.ts';

type Statement = ReturnType<Connection['prepare']>;

export interface Prepared {
  statement: Statement;
  /** It gives rows and writes nothing. Looked up once, since better-sqlite3 takes long to say so. */
  onlyReads: boolean;
}

export function prepare(connection: Connection, sql: string): Prepared {
  const statement = connection.prepare(sql);
  // SQLite calls BEGIN and COMMIT read-only too.
  return { statement, onlyReads: statement.readonly && statement.reader };
}

/**
 * The prepared statements of one connection, at most `most`. A statement takes about 16 KB outside the heap, and
 * better-sqlite3 can only leave it to garbage collection, which a loop that never awaits puts off: so each SQL text is
 * prepared once. When the cache is full, the oldest statement goes.
 */
export class StatementCache {
  readonly #connection: Connection;
  readonly #most: number;
  readonly #prepared = new Map<string, Prepared>();

  constructor(connection: Connection, most: number) {
    this.#connection = connection;
    this.#most = most;
  }

  /** The statement of this SQL text if it is prepared already. */
  find(sql: string): Prepared | undefined {
    return this.#prepared.get(sql);
  }

  /** @throws the engine's error. */
  prepare(sql: string): Prepared {
    const prepared = prepare(this.#connection, sql);
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
