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
export async function patiently<T>(work: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
  const begun = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isLocked(error)) throw error;
      const waitedMs = performance.now() - begun;
      // An import of this process ends.
      if (error.details.isHeldHere !== true && waitedMs >= PATIENCE_MS) throw afterWaiting(error, waitedMs);
    }
    signal?.throwIfAborted();
    await setTimeout(1);
  }
}

/** Only for the lock of the database: a key file is BUSY too, and says what to do. */
function isLocked(error: unknown): error is ProxyVaultError {
  return error instanceof ProxyVaultError && error.code === 'BUSY' && error.details.waitedMs !== undefined;
}

/** The last try waited only for the end of all the waiting. */
function afterWaiting({ code, cause, details }: ProxyVaultError, waited: number): ProxyVaultError {
  const waitedMs = Math.round(waited);
  return new ProxyVaultError(
    code,
    `database is locked, after ${waitedMs} ms: another connection holds the lock: try again, or raise busyTimeoutMs (${String(details.path)}).`,
    { cause, details: { ...details, waitedMs } },
  );
}
