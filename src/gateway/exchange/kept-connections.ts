import type { HttpConnection } from './connection.ts';

/** How many idle connections are kept for each proxy, login and session. */
const MOST_IDLE = 32;
/** For so many of them, so that sessions which nobody uses again do not take all files that may be open. */
const MOST_KEYS = 1_000;
/** How often it is looked whether connections have been kept too long. Milliseconds. */
const LOOK_EVERY = 1_000;

interface Kept {
  connection: HttpConnection;
  /** By `performance.now()`. */
  until: number;
}

/** Connections that wait for another request, by the key of those who may share them. */
export class KeptConnections {
  readonly #kept = new Map<string, Kept[]>();
  #looking: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** The connection that was used last: those before it may grow too old. Null if there is not one. */
  take(key: string): HttpConnection | null {
    const kept = this.#kept.get(key);
    if (kept === undefined) return null;
    for (;;) {
      const last = kept.pop();
      if (kept.length === 0) this.#kept.delete(key);
      if (last === undefined) return null;
      if (!last.connection.isClosed && last.until > performance.now()) return last.connection;
      last.connection.destroy();
    }
  }

  /** Keeps a connection for so many milliseconds, or closes it if there is no place for it. */
  keep(key: string, connection: HttpConnection, ms: number): void {
    const until = performance.now() + ms;
    const kept = this.#kept.get(key);
    if (this.#isClosed || (kept === undefined && this.#kept.size >= MOST_KEYS)) {
      connection.destroy();
      return;
    }
    if (kept === undefined) this.#kept.set(key, [{ connection, until }]);
    else kept.push({ connection, until });
    if (kept !== undefined && kept.length > MOST_IDLE) kept.shift()?.connection.destroy();
    this.#looking ??= setInterval(() => this.#look(), LOOK_EVERY).unref();
  }

  /** Closes all of them, and those that come later. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#looking);
    this.#looking = undefined;
    for (const { connection } of [...this.#kept.values()].flat()) connection.destroy();
    this.#kept.clear();
  }

  /** Closes what was kept too long. */
  #look(): void {
    const now = performance.now();
    for (const [key, kept] of this.#kept) {
      const left = kept.filter(({ connection, until }) => {
        if (until > now) return !connection.isClosed;
        connection.destroy();
        return false;
      });
      if (left.length === 0) this.#kept.delete(key);
      else this.#kept.set(key, left);
    }
    if (this.#kept.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }
}
