import { openConnection, openReader } from './connection.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { translate } from './errors.ts';

export interface BackupProgress {
  totalPages: number;
  remainingPages: number;
}

/** Pages copied between two turns of the event loop: 2 MiB of the default page size. */
const PAGES_PER_STEP = 512;

/** A caller's function. What it throws is the caller's own, and reaches the caller as it is, whatever catches it on its way. */
export class Progress {
  readonly #onProgress: ((progress: BackupProgress) => void) | undefined;
  #failure: { error: unknown } | null = null;

  constructor(onProgress?: (progress: BackupProgress) => void) {
    this.#onProgress = onProgress;
  }

  report(totalPages: number, remainingPages: number): void {
    try {
      this.#onProgress?.({ totalPages, remainingPages });
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  /** Throws what the function has thrown, if it has. */
  rethrow(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}

/** Copies one moment of a database, with what is in its log, to a file that exists and is empty. */
export async function copyTo(source: ConnectionOptions, copy: string, progress: Progress): Promise<void> {
  const connection = openReader(source);
  try {
    connection.exec('BEGIN');
    connection.prepare('SELECT count(*) FROM sqlite_schema').get();
    const { totalPages } = await connection.backup(copy, {
      progress: ({ totalPages, remainingPages }) => {
        progress.report(totalPages, remainingPages);
        return PAGES_PER_STEP;
      },
    });
    progress.report(totalPages, 0);
  } catch (error) {
    throw translate(error, { path: copy, source: source.path });
  } finally {
    connection.close();
  }
}

/** Leaves one file that needs no -wal beside it. */
export function sealCopy(copy: string): void {
  const connection = openConnection(optionsOf(copy));
  try {
    connection.pragma('journal_mode = DELETE');
  } finally {
    connection.close();
  }
}

/** Puts a sealed copy in WAL mode, as every pool is and no backup, so that no backup takes its place. It has no log yet. */
export function makePool(copy: string): void {
  openConnection(optionsOf(copy)).close();
}

/** How a copy that nobody else knows of is opened. */
export function optionsOf(copy: string): ConnectionOptions {
  return { path: copy, readonly: false, durability: 'full', busyTimeoutMs: 0 };
}
