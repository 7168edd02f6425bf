import { ProxyVaultError } from '../../../errors.ts';
import type { Params, Row } from '../driver.ts';
import { type Connection, openReader } from './connection.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { closedError, translate } from './errors.ts';

/** One stream's hold on a connection. */
interface Lease {
  connection: Connection;
  rows: IterableIterator<unknown>;
}

/** A bounded set of read-only connections, opened as they are needed; each serves one stream at a time. */
export class ReaderPool {
  readonly #options: ConnectionOptions & { maxReaders: number };
  readonly #idle: Connection[] = [];
  readonly #leases = new Set<Lease>();
  #closed = false;

  constructor(options: ConnectionOptions & { maxReaders: number }) {
    this.#options = options;
  }

  /**
   * Streams the rows of a query from one snapshot. The connection is taken at the first `next()` and given
   * back when the stream ends or is left (`break`, `return()`).
   *
   * @throws BUSY when all readers are streaming; CLOSED when the database is closed meanwhile.
   */
  *iterate<T>(sql: string, params: Params, map: (row: Row) => T): Generator<T, void, undefined> {
    const lease = this.#acquire(sql, params);
    try {
      for (const row of lease.rows) yield map(row as Row);
      if (this.#closed) throw closedError(this.#options.path);
    } catch (error) {
      throw translate(error, { open: !this.#closed, path: this.#options.path });
    } finally {
      this.#release(lease);
    }
  }

  /** Whether a stream is being read from. */
  get isStreaming(): boolean {
    return this.#leases.size > 0;
  }

  /** Ends every stream and closes every connection. */
  close(): void {
    this.#closed = true;
    for (const { connection, rows } of this.#leases) {
      rows.return?.();
      connection.close();
    }
    this.#leases.clear();
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #acquire(sql: string, params: Params): Lease {
    if (this.#closed) throw closedError(this.#options.path);
    const connection = this.#idle.pop() ?? this.#open();
    try {
      const lease = { connection, rows: connection.prepare(sql).iterate(params) };
      this.#leases.add(lease);
      return lease;
    } catch (error) {
      this.#idle.push(connection);
      throw translate(error, { open: true, path: this.#options.path });
    }
  }

  #open(): Connection {
    if (this.#leases.size >= this.#options.maxReaders) {
      throw new ProxyVaultError(
        'BUSY',
        `All ${this.#options.maxReaders} read connections are streaming: finish or leave an iterate() loop, or raise maxReaders.`,
      );
    }
    return openReader(this.#options);
  }

  #release(lease: Lease): void {
    if (this.#leases.delete(lease)) this.#idle.push(lease.connection);
  }
}
