import { join, resolve } from 'node:path';
import { expect, it, vi } from 'vitest';
import { resolveOptions } from '../../src/database/options.ts';
import { thrownBy } from '../support/temporary.ts';

it('what is not said is safe: every commit is synced, and a write waits for its turn', () => {
  expect(resolveOptions({ path: 'pool.db' })).toMatchObject({
    path: resolve('pool.db'),
    readonly: false,
    durability: 'full',
    busyTimeoutMs: 5000,
    clock: Date.now,
    maxReaders: 4,
    migrationBackups: 3,
    allowOthersToWrite: false,
    migrationsTable: 'schema_migrations',
    log: null,
  });
  const { backgroundWorkers } = resolveOptions({ path: 'pool.db' });
  expect([1, 2]).toContain(backgroundWorkers);
});

it('what is said is taken', () => {
  const said = {
    readonly: true,
    durability: 'normal',
    busyTimeoutMs: 0,
    maxReaders: 1,
    backgroundWorkers: 1,
    migrationBackups: 0,
    allowOthersToWrite: true,
    migrationsTable: 'ledger',
    clock: () => 7,
    onInvalidRow: () => undefined,
  } as const;
  expect(resolveOptions({ path: '/a/b', ...said })).toMatchObject({ path: resolve('/a/b'), ...said });
  expect(resolveOptions({ path: ':memory:' }).path).toBe(':memory:');
  expect(resolveOptions({ path: join('a', ' b') }).path).toBe(resolve('a', ' b'));
});

it.each([
  ['path', ['', ' ', 'a\0b', 'pool.db ', 'pool.db\n', '\t', undefined, 7]],
  ['durability', ['', 'FULL', 'off', 'extra', 2, null]],
  ['busyTimeoutMs', [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5']],
  ['maxReaders', [0, -1, 1.5, 2 ** 31]],
  ['backgroundWorkers', [0, -1, 1.5, 2 ** 31]],
  ['migrationBackups', [-1, 1.5, 2 ** 31]],
  ['clock', [null, 5, 'now']],
  ['onInvalidRow', [null, 5, 'warn']],
  ['migrations', [5, null, {}]],
  ['allowOthersToWrite', [1, 'yes']],
])('%s takes nothing else', (name, values) => {
  for (const value of values)
    expect(
      thrownBy(() => resolveOptions({ path: 'pool.db', [name]: value })),
      String(value),
    ).toMatchObject({
      code: 'INVALID_INPUT',
    });
});

it('the largest numbers are those that SQLite takes', () => {
  const most = 2 ** 31 - 1;
  const said = { busyTimeoutMs: most, maxReaders: most, migrationBackups: most };
  expect(resolveOptions({ path: 'pool.db', ...said })).toMatchObject(said);
});

it('a database in memory begins empty, so it is never read-only', () => {
  expect(thrownBy(() => resolveOptions({ path: ':memory:', readonly: true }))).toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringContaining('in memory'),
  });
});

it('only verbose prints SQL, and a function hears it in place of standard error', () => {
  const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  expect(resolveOptions({ path: 'pool.db', verbose: false }).log).toBeNull();
  resolveOptions({ path: 'pool.db', verbose: true }).log?.('SELECT 1');
  expect(print.mock.calls).toEqual([['SELECT 1']]);
  const heard: string[] = [];
  resolveOptions({ path: 'pool.db', verbose: (sql) => heard.push(sql) }).log?.('SELECT 2');
  expect(heard).toEqual(['SELECT 2']);
  expect(print).toHaveBeenCalledTimes(1);
  print.mockRestore();
});
