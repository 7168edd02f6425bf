/** `full` syncs the log at each commit; `normal` only at checkpoints: a power cut may take the last commits. */
export type Durability = 'full' | 'normal';

export interface ConnectionOptions {
  /** An absolute path, or `:memory:`. */
  path: string;
  readonly: boolean;
  durability: Durability;
  busyTimeoutMs: number;
}

/** Hears the SQL text of each statement, never its values. */
export type SqlLogger = (sql: string) => void;
