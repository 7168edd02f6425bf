import { openConnection, openReader } from './connection.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { translate } from './errors.ts';

export interface BackupProgress {
  totalPages: number;
  remainingPages: number;
}

/** Pages copied between two turns of the event loop: 2 MiB of the default page size. */
const PAGES_PER_STEP = 512;

/** Copies one moment of a database, with what is in its log, to a file that exists and is empty. */
export async function copyTo(
  source: ConnectionOptions,
  copy: string,
  onProgress?: (progress: BackupProgress) => void,
): Promise<void> {
  const connection = openReader(source);
  try {
    connection.exec('BEGIN');
    connection.prepare('SELECT count(*) FROM sqlite_schema').get();
    const { totalPages } = await connection.backup(copy, {
      progress: ({ totalPages, remainingPages }) => {
        onProgress?.({ totalPages, remainingPages });
        return PAGES_PER_STEP;
      },
    });
    onProgress?.({ totalPages, remainingPages: 0 });
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
