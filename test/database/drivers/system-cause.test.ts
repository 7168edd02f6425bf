import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { translate } from '../../../src/database/drivers/sqlite/errors.ts';
import { systemCause, tooManyFiles } from '../../../src/database/drivers/sqlite/system-cause.ts';
import { type Answer, failing, record } from '../../support/file-calls.ts';
import { temporaryFolder } from '../../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../../support/file-calls.ts')).watched(await load()));

/** What is found while the system answers so to each call of a kind. */
async function causeOf(
  code: string,
  [kind, answer]: readonly [string, Answer],
  path = fileOf(),
  source = path,
): Promise<{ code: unknown; left: string[] }> {
  let cause: Error | null = null;
  const asked = (call: string): Answer | null => (call === kind ? answer : null);
  const folder = kind === 'open' ? dirname(devNull) : dirname(path);
  expect(await failing(folder, asked, () => (cause = systemCause(code, path, source)))).toBeNull();
  return { code: (cause as { code?: unknown } | null)?.code ?? null, left: readdirSync(dirname(path)) };
}

function fileOf(bytes = 5000): string {
  const path = join(temporaryFolder(), 'pool.db');
  writeFileSync(path, Buffer.alloc(bytes));
  return path;
}

it.each(['ENOSPC', 'EDQUOT', 'EFBIG'] as const)(
  '%s is why SQLite could not write, and nothing stays',
  async (errno) => {
    for (const code of ['', '_WRITE', '_TRUNCATE', '_LOCK', '_SHMSIZE', '_SHMOPEN'].map(
      (end) => `SQLITE_IOERR${end}`,
    ))
      expect(await causeOf(code, ['write', errno]), code).toEqual({ code: errno, left: ['pool.db'] });
    expect(await causeOf('SQLITE_CANTOPEN', ['write', errno])).toMatchObject({ code: errno });
    for (const code of ['SQLITE_IOERR_READ', 'SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_SHMMAP', 'SQLITE_FULL'])
      expect(await causeOf(code, ['write', errno]), code).toMatchObject({ code: null });
  },
);

it.each(['EMFILE', 'ENFILE'] as const)('%s is why SQLite could not open a file', async (errno) => {
  for (const code of ['SQLITE_CANTOPEN', 'SQLITE_CANTOPEN_FULLPATH'])
    expect(await causeOf(code, ['open', errno]), code).toMatchObject({ code: errno });
  expect(await causeOf('SQLITE_IOERR_WRITE', ['open', errno])).toMatchObject({ code: null });
});

it('another error of the system, or none, is no cause', async () => {
  expect(await causeOf('SQLITE_CANTOPEN', ['open', 'EACCES'])).toMatchObject({ code: null });
  expect(await causeOf('SQLITE_IOERR_WRITE', ['write', 'EIO'])).toEqual({ code: null, left: ['pool.db'] });
  // A database in memory has no disk that could be full.
  expect(await record(process.cwd(), () => systemCause('SQLITE_IOERR_WRITE', ':memory:'))).toEqual([]);
  expect(systemCause('SQLITE_IOERR_WRITE', fileOf())).toBeNull();
});

it('a file that is too many is looked for by as many as a connection and its thread need, which are closed again', async () => {
  let opened = 0;
  const twelfth = (call: string): Answer | null => (call === 'open' && ++opened === 12 ? 'EMFILE' : null);
  expect(
    await failing(dirname(devNull), twelfth, () => expect(tooManyFiles()).toMatchObject({ code: 'EMFILE' })),
  ).toBeNull();
  const calls = await record(dirname(devNull), () => expect(tooManyFiles()).toBeNull());
  expect(calls.filter(({ call }) => call === 'open')).toHaveLength(12);
  expect(calls.filter(({ call }) => call === 'close')).toHaveLength(12);
});

it('space is looked for where the file, its source or their logs end, by a name of its own', async () => {
  const [path, source] = [fileOf(0), fileOf(7000)];
  writeFileSync(`${path}-wal`, '');
  truncateSync(`${path}-wal`, 200_000);
  const probe = async (from = path): Promise<[number, string[]]> => {
    let position = 0;
    const calls = await record(dirname(path), () => systemCause('SQLITE_IOERR_WRITE', path, from));
    for (const { call, position: at } of calls) if (call === 'write') position = at ?? 0;
    return [position, calls.map(({ call }) => call)];
  };
  expect((await probe())[0]).toBe(200_000);
  writeFileSync(`${source}-wal`, '');
  truncateSync(`${source}-wal`, 300_000);
  const [position, calls] = await probe(source);
  expect(position).toBe(300_000);
  // Its name goes at once, so that nothing stays if the process is killed.
  expect(calls.filter((call) => call !== 'stat')).toEqual(['open', 'rm', 'write', 'close']);
  expect(readdirSync(dirname(path)).sort()).toEqual(['pool.db', 'pool.db-wal']);
});

it('what SQLite throws says the cause that the system has, and keeps SQLite’s own code', async () => {
  const path = fileOf();
  const thrown = Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_WRITE' });
  const full = (call: string): Answer | null => (call === 'write' ? 'EDQUOT' : null);
  let error: unknown;
  await failing(dirname(path), full, () => {
    error = translate(thrown, { path });
  });
  expect(error).toMatchObject({
    code: 'DISK_FULL',
    message: expect.stringMatching(/EDQUOT.*quota/),
    cause: thrown,
    details: { sqlite: 'SQLITE_IOERR_WRITE', errno: 'EDQUOT', path },
  });
  const tooMany = (call: string): Answer | null => (call === 'open' ? 'EMFILE' : null);
  await failing(dirname(devNull), tooMany, () => {
    error = translate(new Error('a thread cannot start'), { path });
  });
  expect(error).toMatchObject({ code: 'CANNOT_OPEN', message: expect.stringContaining('ulimit -n') });
  expect(translate(thrown, { path })).toMatchObject({ code: 'IO' });
});
