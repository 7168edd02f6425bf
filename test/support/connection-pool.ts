import { existsSync } from 'node:fs';
import type { SqliteEngineOptions } from '../../src/database/drivers/sqlite/connection-options.ts';
import { SqliteEngine } from '../../src/database/drivers/sqlite/engine.ts';

/** Connections that are taken one at a time, at most `most` of them; whoever finds none waits for its turn. */
export class ConnectionPool {
  readonly #most: number;
  readonly #connect: () => SqliteEngine;
  readonly #idle: SqliteEngine[] = [];
  readonly #taken = new Set<SqliteEngine>();
  readonly #waiting: ((engine: SqliteEngine) => void)[] = [];

  constructor(most: number, connect: () => SqliteEngine) {
    this.#most = most;
    this.#connect = connect;
  }

  async take(): Promise<SqliteEngine> {
    if (this.#idle.length === 0 && this.#taken.size === this.#most)
      return new Promise((resolve) => this.#waiting.push(resolve));
    const engine = this.#idle.pop() ?? this.#connect();
    this.#taken.add(engine);
    return engine;
  }

  giveBack(engine: SqliteEngine): void {
    const next = this.#waiting.shift();
    if (next) next(engine);
    else {
      this.#taken.delete(engine);
      this.#idle.push(engine);
    }
  }

  /** Closes also what is taken: the next statement on it is CLOSED. */
  close(): void {
    for (const engine of [...this.#idle, ...this.#taken]) {
      if (engine.driver.inTransaction) engine.script('ROLLBACK');
      engine.close();
    }
  }
}

/** A file that is there was made by the test itself: to look whether it is sound takes longer than to open it. */
export function openFile(options: SqliteEngineOptions): SqliteEngine {
  return existsSync(options.path) ? new SqliteEngine(options) : SqliteEngine.open(options);
}
