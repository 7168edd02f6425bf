import type { CheckpointResult } from '../driver.ts';
import { type Connection, openConnection } from './connection.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { ignoreEngine } from './errors.ts';
import { pauseFor } from './waiting.ts';

const MIB = 1024 * 1024;
/** SQLite checkpoints by itself at 1,000 pages. A log of this size means that readers keep it from starting over. */
const LARGE_BYTES = 16 * MIB;
/** A log of this size is warned of. */
const ALARMING_BYTES = 64 * MIB;
/** Looking at the size takes 3 µs, so not after each commit. */
const COMMITS_A_LOOK = 8;
/** How long a checkpoint may wait for readers while it keeps writers out: at first, and at most after several failures. */
const SHORTEST_WAIT_MS = 25;
const LONGEST_WAIT_MS = 400;
/** The same for one that somebody has asked for. */
const ASKED_WAIT_MS = 100;
/** A failed try is repeated after ten times its wait, then after twice as long each time, up to this. */
const LONGEST_INTERVAL_MS = 30_000;
const WARNING_INTERVAL_MS = 3_600_000;

/** When each file was last warned of, whichever connection did. */
const warnedAt = new Map<string, number>();

/** The write-ahead log as one connection sees it: empties it on demand, and keeps it from growing without bound. */
export class WriteAheadLog {
  readonly #connection: Connection;
  readonly #options: ConnectionOptions;
  #look: ReturnType<Connection['prepare']> | null = null;
  #pageSize = 0;
  #commits = 0;
  #failures = 0;
  #nextTry = 0;

  constructor(connection: Connection, options: ConnectionOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Moves the log into the file and cuts it to nothing. Waits for others for at most `patienceMs`; writers have their turn. */
  empty(
    patienceMs: number,
    isEnough = ({ complete }: CheckpointResult): boolean => complete,
  ): CheckpointResult {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const left = Math.ceil(Math.max(0, deadline - performance.now()));
      const result = this.#truncate(Math.min(ASKED_WAIT_MS, left));
      if (isEnough(result) || left <= ASKED_WAIT_MS) return result;
      pauseFor(1);
    }
  }

  /**
   * Before its connection closes: moves the log into the file, so that a copy of the file has everything, even if another
   * connection keeps the log. Ignores an error, since what is in the log is not lost.
   */
  settle(): void {
    try {
      this.empty(
        ASKED_WAIT_MS,
        ({ complete, walPages, movedPages }) => complete || (walPages > 0 && movedPages === walPages),
      );
    } catch (error) {
      ignoreEngine(error);
    }
  }

  /**
   * Looks at the size after every few commits. If the log is large, waits for the readers of this moment; those that come
   * meanwhile read from the file. Otherwise readers that follow each other without a gap would keep the log from ever starting
   * over. If this thread itself is streaming, waiting would be in vain.
   */
  afterCommit(isStreaming: boolean): void {
    if (++this.#commits % COMMITS_A_LOOK !== 0) return;
    const bytes = this.#bytes();
    if (bytes < LARGE_BYTES) this.#failures = 0;
    else if (!this.#tryToEmpty(isStreaming) && bytes >= ALARMING_BYTES) warn(this.#options.path, bytes);
  }

  /** Says whether the log is empty now; not before it is time for the next try after one that a reader held up. */
  #tryToEmpty(isStreaming: boolean): boolean {
    if (performance.now() < this.#nextTry) return false;
    const wait = Math.min(SHORTEST_WAIT_MS * 2 ** this.#failures, LONGEST_WAIT_MS);
    if (this.#truncate(isStreaming ? 0 : Math.min(wait, this.#options.busyTimeoutMs)).complete) {
      this.#failures = Math.max(0, this.#failures - 1);
      return true;
    }
    this.#nextTry = performance.now() + Math.min(10 * wait * 2 ** this.#failures, LONGEST_INTERVAL_MS);
    this.#failures = Math.min(this.#failures + 1, 20);
    return false;
  }

  #bytes(): number {
    this.#look ??= this.#connection.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#pageSize ||= Number(this.#connection.pragma('page_size', { simple: true }));
    const { log } = this.#look.get({}) as { log: number };
    return log * this.#pageSize;
  }

  /** Here SQLite's own busy handler waits, since it keeps the write lock meanwhile: no new reader counts. */
  #truncate(waitMs: number): CheckpointResult {
    this.#connection.pragma(`busy_timeout = ${waitMs}`);
    try {
      const [row] = this.#connection.pragma('wal_checkpoint(TRUNCATE)') as Record<string, number>[];
      return {
        complete: row?.busy === 0,
        walPages: Math.max(0, Number(row?.log)),
        movedPages: Math.max(0, Number(row?.checkpointed)),
      };
    } finally {
      this.#connection.pragma('busy_timeout = 0');
    }
  }
}

/** For a file that no connection of ours has open any more: as `settle`, and the last one to close removes the log. */
export function settleLog(options: ConnectionOptions): void {
  try {
    const connection = openConnection(options);
    new WriteAheadLog(connection, options).settle();
    connection.close();
  } catch {
    // Such as a file that was moved away meanwhile: nothing that is in the log is lost.
  }
}

function warn(path: string, bytes: number): void {
  const now = performance.now();
  if (now - (warnedAt.get(path) ?? Number.NEGATIVE_INFINITY) < WARNING_INTERVAL_MS) return;
  warnedAt.set(path, now);
  process.emitWarning(
    `The write-ahead log of ${JSON.stringify(path)} has grown to ${Math.round(bytes / MIB)} MiB, because a reader keeps it from being emptied: leave iterate() loops early, and end long background queries and other programs that read the file. \`await db.stats()\` shows its size as walBytes.`,
    { type: 'ProxyVaultWarning', code: 'PROXYVAULT_LOG_GROWING' },
  );
}
