import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  holdHere,
  isBusy,
  isHeldHere,
  waitForLock,
  whileBusy,
} from '../../../src/database/drivers/sqlite/waiting.ts';
import { openDatabase, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const engineError = (code: string): Error => new Database.SqliteError(`engine says ${code}`, code);
const busy = engineError('SQLITE_BUSY');

afterEach(() => {
  vi.restoreAllMocks();
});

/** Work that finds the lock taken so many times. */
function takenFor(times: number, then: () => unknown = () => 'done'): () => unknown {
  let tries = 0;
  return () => {
    if (tries++ < times) throw busy;
    return then();
  };
}

describe('a wait for the lock', () => {
  it('ends as soon as the lock is free', () => {
    const patience = { path: '/pool.db', timeoutMs: 60_000 };
    expect(waitForLock(busy, patience, takenFor(3))).toBe('done');
    expect(whileBusy(patience, takenFor(0))).toBe('done');
    expect(whileBusy(patience, takenFor(3))).toBe('done');
  });

  it('ends with BUSY and how long it was when its time is up, after a last try', () => {
    const now = performance.now.bind(performance);
    let elapsed = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now() + elapsed);
    const work = vi.fn(() => {
      elapsed = 5000;
      throw busy;
    });
    expect(thrownBy(() => waitForLock(busy, { path: '/pool.db', timeoutMs: 5000 }, work))).toMatchObject({
      code: 'BUSY',
      details: { sqlite: 'SQLITE_BUSY', path: '/pool.db', waitedMs: expect.any(Number) },
    });
    expect(work).toHaveBeenCalledTimes(1);
    const never = vi.fn();
    expect(thrownBy(() => waitForLock(busy, { path: '/pool.db', timeoutMs: 0 }, never))).toMatchObject({
      code: 'BUSY',
    });
    expect(never).not.toHaveBeenCalled();
  });

  it.each([
    [0, 0.05, 0.45],
    [500, 0.05, 0.45],
    [1000, 0.1, 0.9],
    [4000, 0.4, 3.6],
    [60_000, 0.4, 3.6],
  ])('that has lasted %i ms pauses from %d to %d ms', (waited, shortest, longest) => {
    const times = [0];
    vi.spyOn(performance, 'now').mockImplementation(() => times.pop() ?? waited);
    const pauses: number[] = [];
    vi.spyOn(Atomics, 'wait').mockImplementation(((
      _: unknown,
      __: number,
      ___: number,
      milliseconds: number,
    ) => {
      pauses.push(milliseconds);
      return 'timed-out';
    }) as never);
    waitForLock(busy, { path: '/pool.db', timeoutMs: 90_000 }, takenFor(199));
    expect(pauses).toHaveLength(200);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(shortest);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(longest);
    expect(Math.max(...pauses)).toBeGreaterThan((shortest + longest) / 2);
  });

  it('ends with any other error at once', () => {
    const other = engineError('SQLITE_FULL');
    const fail = (): never => {
      throw other;
    };
    const patience = { path: '/pool.db', timeoutMs: 60_000 };
    expect(thrownBy(() => waitForLock(busy, patience, takenFor(2, fail)))).toBe(other);
    expect(thrownBy(() => whileBusy(patience, fail))).toBe(other);
  });

  it('for what this thread holds itself is not begun, by whichever name', () => {
    const { path } = openDatabase();
    const patience = { path: join(path, '..', 'pool.db'), timeoutMs: 600_000 };
    {
      using _ = holdHere(path);
      expect(isHeldHere(patience.path)).toBe(true);
      expect(isHeldHere(join(temporaryFolder(), 'other.db'))).toBe(false);
      expect(thrownBy(() => waitForLock(busy, patience, () => 'done'))).toMatchObject({
        code: 'BUSY',
        message: expect.stringContaining('batch: 1000'),
        details: { isHeldHere: true, waitedMs: 0 },
      });
    }
    expect(isHeldHere(path)).toBe(false);
    expect(waitForLock(busy, patience, () => 'done')).toBe('done');
  });
});

it('every kind of SQLITE_BUSY is a lock that another connection has, and nothing else is', () => {
  for (const code of ['SQLITE_BUSY', 'SQLITE_BUSY_RECOVERY', 'SQLITE_BUSY_SNAPSHOT', 'SQLITE_BUSY_TIMEOUT'])
    expect(isBusy(engineError(code)), code).toBe(true);
  for (const error of [engineError('SQLITE_LOCKED'), engineError('SQLITE_FULL'), new Error('busy'), null])
    expect(isBusy(error)).toBe(false);
});
