import { ProxyVaultError } from '../../../errors.ts';
import { identityOf } from '../../../files/same-file.ts';
import { sqliteCode, translate } from './errors.ts';

/** The shortest and the longest pause between two tries, in milliseconds, while a wait is young. */
const SHORTEST_MS = 0.05;
const LONGEST_MS = 0.45;
/** From here on somebody holds the lock for long, and the pauses grow, up to eight times as long. */
const YOUNG_MS = 500;
const MOST_GROWTH = 8;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** The files whose write lock an import of this thread holds while the event loop has its turn. */
const heldHere = new Set<string>();

/** Which lock is waited for, and for how long. */
export interface Patience {
  path: string;
  timeoutMs: number;
}

/** Whether another connection has the lock. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_BUSY') ?? false;
}

/**
 * Tries `work`, of which nothing happened yet, again until the lock that `error` tells of is free. SQLite's own busy handler backs
 * off up to 100 ms, so that of several processes some starve; short random pauses give each an equal share.
 *
 * @throws BUSY after `timeoutMs`, and at once if this thread itself holds the lock; what `work` throws.
 */
export function waitForLock<T>(error: unknown, { path, timeoutMs }: Patience, work: () => T): T {
  const begun = performance.now();
  for (let busy = error; ; ) {
    if (isHeldHere(path)) throw heldHereError(path, busy);
    const waited = performance.now() - begun;
    if (waited >= timeoutMs) throw translate(busy, { path, waitedMs: Math.round(waited) });
    pauseFor(Math.min(lengthAfter(waited), timeoutMs - waited));
    try {
      return work();
    } catch (next) {
      if (!isBusy(next)) throw next;
      busy = next;
    }
  }
}

/** The same for work that has not been tried yet. */
export function whileBusy<T>(patience: Patience, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isBusy(error)) throw error;
    return waitForLock(error, patience, work);
  }
}

/** Stops this thread for some milliseconds, or parts of one. */
export function pauseFor(milliseconds: number): void {
  Atomics.wait(pause, 0, 0, milliseconds);
}

/** As long as between two tries. */
export function pauseShortly(): void {
  pauseFor(lengthAfter(0));
}

function lengthAfter(waited: number): number {
  const growth = Math.min(MOST_GROWTH, Math.max(1, waited / YOUNG_MS));
  return growth * (SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS));
}

/** Marks the write lock of a file as held by this thread across turns of the event loop, until it is disposed. */
export function holdHere(path: string): Disposable {
  const file = identityOf(path) ?? path;
  heldHere.add(file);
  return { [Symbol.dispose]: () => heldHere.delete(file) };
}

export function isHeldHere(path: string): boolean {
  return heldHere.size > 0 && heldHere.has(identityOf(path) ?? path);
}

function heldHereError(path: string, cause: unknown): ProxyVaultError {
  return new ProxyVaultError(
    'BUSY',
    `An import of this process holds the write lock (${path}): await it first, or import with \`batch: 1000\`, which lets others write between two batches.`,
    { cause, details: { sqlite: sqliteCode(cause), path, waitedMs: 0, isHeldHere: true } },
  );
}
