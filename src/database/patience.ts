import { setTimeout } from 'node:timers/promises';

import { ProxyVaultError } from '../errors.ts';

/** How long one transaction of a long job waits for the write lock, however short the busy timeout is. */
const PATIENCE_MS = 30_000;

/**
 * Runs one transaction of a long job, and again while another connection holds the write lock: a job of many batches must
 * not fail because one of them came too late. The event loop has its turn between two tries.
 *
 * @throws BUSY after half a minute, but never because of an import of this process, which ends; what `work` throws.
 */
export async function patiently<T>(work: () => T, signal?: AbortSignal): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isWorthWaiting(error, performance.now() >= deadline)) throw error;
    }
    signal?.throwIfAborted();
    await setTimeout(1);
  }
}

/** Only for the lock of the database: a key file is BUSY too, and says what to do. */
function isWorthWaiting(error: unknown, isLate: boolean): boolean {
  if (!(error instanceof ProxyVaultError) || error.code !== 'BUSY') return false;
  const { sqlite, isHeldHere } = error.details;
  return String(sqlite).startsWith('SQLITE_BUSY') && (isHeldHere === true || !isLate);
}
