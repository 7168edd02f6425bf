import { linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  isKept,
  keptName,
  removeOldMigrationBackups,
  removeOldReplaced,
} from '../../../src/database/drivers/sqlite/kept.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const day = (n: number): Date => new Date(Date.UTC(2026, 0, n, 3, 4, 5, 678));

/** A pool, and a copy of each of these days, with logs: of migrations and of replaced pools. */
function poolWith(migrated: number[], replaced: number[]): { path: string; names: () => string[] } {
  const path = join(temporaryFolder(), 'pool.db');
  writeFileSync(path, 'pool');
  for (const [days, label] of [
    [migrated, '007_x'],
    [replaced, 'restore'],
  ] as const)
    for (const n of days)
      for (const suffix of ['', '-wal', '-shm', '-journal'])
        writeFileSync(`${keptName(path, day(n), label)}${suffix}`, String(n));
  const names = (): string[] =>
    readdirSync(dirname(path))
      .filter((name) => name !== 'pool.db')
      .map((name) => name.replace(/pool\.db\.202601(\d\d)T030405678Z\.before-(.+)\.backup/, '$1 $2'))
      .sort();
  return { path, names };
}

const withLogs = (...names: string[]): string[] =>
  names.flatMap((name) => ['', '-wal', '-shm', '-journal'].map((suffix) => name + suffix)).sort();

describe('of the copies that are kept beside a pool', () => {
  it('the newest of migrations stay, with all that SQLite keeps beside them', () => {
    const { path, names } = poolWith([3, 1, 2, 4], [5, 6]);
    removeOldMigrationBackups(path, 2);
    expect(names()).toEqual(withLogs('03 007_x', '04 007_x', '05 restore', '06 restore'));
    removeOldMigrationBackups(path, 3);
    expect(names()).toHaveLength(16);
    removeOldMigrationBackups(path, 0);
    expect(names()).toEqual(withLogs('05 restore', '06 restore'));
  });

  it('the newest of replaced pools stay, and the one that was restored from', () => {
    const { path, names } = poolWith([9], [1, 2, 3, 4, 5]);
    removeOldReplaced(path, 2, keptName(path, day(2)));
    expect(names()).toEqual(withLogs('02 restore', '04 restore', '05 restore', '09 007_x'));
  });

  it('a second name of the pool itself goes, which a killed restore has left, and counts for none', () => {
    const { path, names } = poolWith([], [1, 2]);
    linkSync(path, keptName(path, day(3)));
    removeOldReplaced(path, 2, '/nowhere');
    expect(names()).toEqual(withLogs('01 restore', '02 restore'));
  });

  it('one that cannot be removed is named in a warning, and is no reason to fail', () => {
    const { path } = poolWith([], [2]);
    const stuck = keptName(path, day(1));
    mkdirSync(stuck);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    removeOldReplaced(path, 0, '/nowhere');
    expect(warned.mock.calls).toEqual([
      [expect.stringContaining(stuck), { type: 'ProxyVaultWarning', code: 'PROXYVAULT_OLD_COPY' }],
    ]);
    warned.mockRestore();
    expect(readdirSync(dirname(path)).sort()).toEqual(['pool.db', basename(stuck)].sort());
  });

  it('each has a name that says when and why, and no other file has one', () => {
    const path = join('a', 'pool.db');
    expect(keptName(path, day(2), '007_x')).toBe(
      join('a', 'pool.db.20260102T030405678Z.before-007_x.backup'),
    );
    expect(keptName(path, day(2))).toMatch(/\.before-restore\.backup$/);
    expect(isKept(path, basename(keptName(path, day(2))))).toBe(true);
    for (const name of [
      'pool.db',
      'pool.db.backup',
      'pool.db.20260102T030405678Z.backup',
      'pool.db.20260102T030405678Z.before-x.backup-wal',
      'pool.db.2026-01-02.before-x.backup',
      'other.db.20260102T030405678Z.before-x.backup',
    ])
      expect(isKept(path, name), name).toBe(false);
  });
});
