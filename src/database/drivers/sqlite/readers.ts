import { ProxyVaultError } from '../../../errors.ts';
import type { Params, Row } from '../driver.ts';
import { openReader } from './connection.ts';
import type { SqliteDriverOptions } from './connection-options.ts';
import { explained, translate } from './errors.ts';
import { assertParameters, StatementCache } from './statements.ts';

/** A program streams a few SQL texts again and again. */
const STATEMENTS = 20;

/** What one stream holds; it must not refer to the stream, which could then never be garbage-collected. */
interface Lease {
  /** Null before the first `next()`, and after the end. */
  held: { reader: StatementCache; rows: IterableIterator<unknown> } | null;
}

/** A bounded set of read-only connections, opened as they are needed; each serves one stream at a time. */
export class ReaderPool {
  readonly #options: SqliteDriverOptions;
  readonly #idle: StatementCache[] = [];
  readonly #leases = new Set<Lease>();
  /** A stream that is dropped in the middle, without `return()`, gives its connection back when it is collected. */
  readonly #dropped = new FinalizationRegistry<Lease>((lease) => this.#release(lease));
  #closed: (() => ProxyVaultError) | null = null;

  constructor(options: SqliteDriverOptions) {
    this.#options = options;
  }

  /**
   * Streams the rows of a query from one snapshot. Takes a connection at the first `next()`, and gives it back when the stream
   * ends or is left (`break`, `return()`), at the latest when it is garbage-collected.
   *
   * @throws BUSY when all readers are streaming; CLOSED when the database is closed meanwhile.
   */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): Generator<T, void, undefined> {
    const lease: Lease = { held: null };
    const stream = this.#stream(lease, sql, params, map);
    this.#dropped.register(stream, lease, lease);
    return stream;
  }

  /**
   * Ends every stream and closes every connection.
   *
   * @param reason makes the error that streams throw from now on: most pools have no open stream, and an error costs a stack trace.
   */
  close(reason: () => ProxyVaultError): void {
    this.#closed ??= reason;
    for (const lease of this.#leases) this.#release(lease);
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }

  /** Whether a stream is being read from. */
  get isStreaming(): boolean {
    return this.#leases.size > 0;
  }

  *#stream<T>(
    lease: Lease,
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
  ): Generator<T, void, undefined> {
    try {
      this.#acquire(lease, sql, params);
      for (let row = this.#next(lease); row !== null; row = this.#next(lease)) {
        const value = map(row);
        if (value !== undefined) yield value;
      }
    } finally {
      this.#release(lease);
      this.#dropped.unregister(lease);
    }
  }

  #next({ held }: Lease): Row | null {
    if (this.#closed) throw this.#closed();
    try {
      const step = held?.rows.next();
      return step === undefined || step.done ? null : (step.value as Row);
    } catch (error) {
      throw translate(error, { path: this.#options.path });
    }
  }

  #acquire(lease: Lease, sql: string, params: Params): void {
    if (this.#closed) throw this.#closed();
    assertParameters(params);
    const reader = this.#idle.pop() ?? this.#open();
    try {
      const { statement } = reader.find(sql) ?? reader.prepare(sql);
      lease.held = { reader, rows: statement.iterate(params) };
      this.#leases.add(lease);
    } catch (error) {
      this.#idle.push(reader);
      throw explained(translate(error, { path: this.#options.path }), this.#options.explain);
    }
  }

  #open(): StatementCache {
    const { maxReaders } = this.#options;
    if (this.#leases.size >= maxReaders) {
      throw new ProxyVaultError(
        'BUSY',
        `All ${maxReaders} read connections are streaming: finish the open iterate() loops or leave them (break, or return() on the iterator), or raise maxReaders. An iterator that was dropped in the middle keeps its connection until it is garbage-collected.`,
        { details: { maxReaders } },
      );
    }
    return new StatementCache(openReader(this.#options), STATEMENTS);
  }

  #release(lease: Lease): void {
    const { held } = lease;
    if (held === null) return;
    lease.held = null;
    this.#leases.delete(lease);
    // The connection can do nothing else while a row iterator is open on it.
    held.rows.return?.();
    this.#idle.push(held.reader);
  }
}
