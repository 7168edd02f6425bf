import type { ProxyVaultError } from '../../../errors.ts';

/** `full` syncs the log at each commit; `normal` only at checkpoints: a power cut may take the last commits. */
export type Durability = 'full' | 'normal';

export interface ConnectionOptions {
  /** An absolute path, or `:memory:`. */
  path: string;
  readonly: boolean;
  durability: Durability;
  busyTimeoutMs: number;
}

export interface SqliteDriverOptions extends ConnectionOptions {
  maxReaders: number;
  log: SqlLogger | null;
  /** What may be wrong if a statement cannot be prepared; null if nothing is known. */
  explain?: ((error: ProxyVaultError) => ProxyVaultError | null) | undefined;
  /** Leave the write-ahead log to another connection: a checkpoint of a large one would block this thread. */
  leavesLog?: boolean | undefined;
}

export interface SqliteEngineOptions extends SqliteDriverOptions {
  /** How many threads serve `background`, started as they are needed. */
  backgroundWorkers: number;
}

/** Hears the SQL text of each statement, never its values. */
export type SqlLogger = (sql: string) => void;
