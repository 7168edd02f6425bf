import { Worker } from 'node:worker_threads';

import type { ProxyVaultError } from '../../../errors.ts';
import type { Params, Row, SqlValue } from '../driver.ts';
import source from './background.worker.js';
import { engineFile, resolveEngine } from './better-sqlite3.ts';
import type { SqliteEngineOptions } from './connection-options.ts';
import { closedError, translate } from './errors.ts';
import { assertParameters } from './statements.ts';

type BackgroundOptions = Pick<SqliteEngineOptions, 'path' | 'busyTimeoutMs' | 'backgroundWorkers' | 'log'>;

/** What the worker says; see background.worker.js. */
type Answer = { id: number } & (
  | { type: 'rows'; columns: string[]; rows: SqlValue[][]; done: boolean }
  | { type: 'error'; name: string; code: string | undefined; message: string }
);

interface Query extends PromiseWithResolvers<Row[]> {
  type: 'query' | 'checkpoint';
  sql: string;
  params: Params;
  signal: AbortSignal | undefined;
  rows: Row[];
}

/**
 * Read-only queries and checkpoints in worker threads, for what would block the event loop. A worker is asked to close
 * and never terminated: ending a thread inside a query aborts the process.
 */
export class Background {
  readonly #options: BackgroundOptions;
  readonly #threads: Thread[] = [];
  readonly #queue: Query[] = [];
  #closing: Promise<void> | null = null;

  constructor(options: BackgroundOptions) {
    this.#options = options;
  }

  /** All rows of a query. @throws as BackgroundReads. */
  async all(sql: string, params: Params = {}, signal?: AbortSignal): Promise<Row[]> {
    // A copy, since the query may wait for a thread: what is sent is what was checked.
    const sent = { ...params };
    assertParameters(sent);
    signal?.throwIfAborted();
    this.#options.log?.(sql);
    return this.#ask('query', sql, sent, signal);
  }

  /** Moves a large write-ahead log into the file and empties it, as far as others allow. @throws CLOSED, DISK_FULL, IO. */
  async checkpoint(): Promise<void> {
    await this.#ask('checkpoint', '', {}, undefined);
  }

  /** Rejects what waits, lets each worker finish its step, and resolves when all threads have ended. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** After `close()`: blocks for at most this long; says whether every thread has closed the file. A long step may take longer. */
  waitUntilClosed(timeoutMs: number): boolean {
    const deadline = performance.now() + timeoutMs;
    return this.#threads.every((thread) => thread.waitUntilClosed(deadline - performance.now()));
  }

  async #ask(type: Query['type'], sql: string, params: Params, signal: Query['signal']): Promise<Row[]> {
    if (this.#closing) throw closedError(this.#options.path);
    const query = { type, sql, params, signal, rows: [], ...Promise.withResolvers<Row[]>() };
    this.#queue.push(query);
    this.#dispatch();
    return query.promise;
  }

  async #close(): Promise<void> {
    for (const query of this.#queue.splice(0)) query.reject(closedError(this.#options.path));
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      try {
        const thread = this.#threads.find((candidate) => candidate.idle) ?? this.#start();
        const query = thread && this.#queue.shift();
        if (!thread || !query) return;
        thread.run(query);
      } catch (error) {
        // No thread can be started.
        this.#queue.shift()?.reject(translate(error, this.#options));
      }
    }
  }

  #start(): Thread | null {
    if (this.#threads.length >= this.#options.backgroundWorkers) return null;
    const thread = new Thread(this.#options, (hasEnded) => {
      if (hasEnded) this.#threads.splice(this.#threads.indexOf(thread), 1);
      this.#dispatch();
    });
    this.#threads.push(thread);
    return thread;
  }
}

/** One worker thread and the query it is on. */
class Thread {
  readonly #worker: Worker;
  readonly #path: string;
  readonly #ended: Promise<void>;
  /** Told when the thread may take another query, and when it has ended. */
  readonly #onFree: (hasEnded: boolean) => void;
  readonly #closed = new Int32Array(new SharedArrayBuffer(4));
  #query: Query | null = null;
  /** It was closed, or has failed, as one that could not open its files: somebody waits for its end. */
  #ending = false;
  #id = 0;
  #removeAbortListener: (() => void) | null = null;

  constructor({ path, busyTimeoutMs }: BackgroundOptions, onFree: (hasEnded: boolean) => void) {
    this.#path = path;
    this.#onFree = onFree;
    this.#worker = new Worker(source, {
      eval: true,
      // Options of the program, such as --input-type=module, would change what the source text is taken for.
      execArgv: [],
      workerData: {
        path,
        busyTimeoutMs,
        engine: engineFile() ?? resolveEngine(),
        ended: this.#closed.buffer,
      },
    });
    // An idle worker does not keep the program running.
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => this.#receive(answer));
    this.#worker.on('error', (error) => {
      // By itself, and queries may wait for its place.
      this.#end();
      this.#settle(translate(error, { path }));
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#onFree(true);
        this.#settle(closedError(path));
        resolve();
      });
    });
  }

  get idle(): boolean {
    return this.#query === null && !this.#ending;
  }

  run(query: Query): void {
    const { type, sql, params, signal } = query;
    this.#query = query;
    this.#worker.ref();
    if (signal) {
      const cancel = (): void => {
        this.#query?.reject(signal.reason);
        this.#worker.postMessage({ type: 'cancel', id: this.#id });
      };
      signal.addEventListener('abort', cancel, { once: true });
      this.#removeAbortListener = () => signal.removeEventListener('abort', cancel);
    }
    try {
      this.#worker.postMessage({ type, id: ++this.#id, sql, params });
    } catch (error) {
      // A parameter that cannot be sent to a thread, such as a function.
      this.#settle(translate(error, { path: this.#path }));
    }
  }

  close(): Promise<void> {
    this.#query?.reject(closedError(this.#path));
    this.#end();
    this.#worker.postMessage({ type: 'close' });
    return this.#ended;
  }

  waitUntilClosed(timeoutMs: number): boolean {
    Atomics.wait(this.#closed, 0, 0, Math.max(0, timeoutMs));
    return Atomics.load(this.#closed, 0) === 1;
  }

  /** The program must not exit before the thread has ended, though an answer may still come from it. */
  #end(): void {
    this.#ending = true;
    this.#worker.ref();
  }

  #receive(answer: Answer): void {
    const { id } = answer;
    if (this.#query === null || id !== this.#id) return;
    if (answer.type === 'error') {
      const { name, code, message } = answer;
      this.#settle(translate(Object.assign(new Error(message), { name, code }), { path: this.#path }));
      return;
    }
    for (const values of answer.rows) this.#query.rows.push(toRow(answer.columns, values));
    if (answer.done) this.#settle(null);
    // After the event loop has had its turn, so that a large result does not hold it.
    else setImmediate(() => this.#worker.postMessage({ type: 'more', id }));
  }

  #settle(error: ProxyVaultError | null): void {
    const query = this.#query;
    if (query === null) return;
    this.#query = null;
    this.#removeAbortListener?.();
    this.#removeAbortListener = null;
    if (!this.#ending) this.#worker.unref();
    if (error) query.reject(error);
    else query.resolve(query.rows);
    this.#onFree(false);
  }
}

function toRow(columns: readonly string[], values: readonly SqlValue[]): Row {
  const row: Row = {};
  columns.forEach((column, index) => {
    row[column] = values[index] ?? null;
  });
  return row;
}
