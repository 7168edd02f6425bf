import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { initDatabase, restoreDatabase } from 'proxyvault/database';
import { describe, expect, it, vi } from 'vitest';
import { lockAlone } from '../../../src/database/drivers/sqlite/exclusive.ts';
import { type Answer, failing } from '../../support/file-calls.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../../support/file-calls.ts')).watched(await load()));

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** A closed pool, and a backup in another folder. */
async function poolAndBackup(): Promise<{ path: string; backup: string; folder: string }> {
  const db = openMigrated();
  const backup = await db.backup(join(temporaryFolder(), 'backup.db'));
  await db[Symbol.asyncDispose]();
  return { path: db.path, backup, folder: dirname(db.path) };
}

describe.skipIf(process.platform === 'win32')('the file that takes the place of a pool', () => {
  it.each([
    [0o600, 0o600],
    [0o660, 0o660],
    [0o640, 0o640],
    [0o400, 0o600],
    [0o644, 0o600],
    [0o604, 0o600],
    [0o770, 0o660],
  ])(
    'of mode %o has mode %o: what a group may do stays, what everybody may do does not',
    async (before, after) => {
      const { path, backup } = await poolAndBackup();
      chmodSync(path, before);
      await restoreDatabase(backup, path, { overwrite: true });
      expect(statSync(path).mode & 0o777).toBe(after);
    },
  );

  it.skipIf(!isRoot)('belongs to whom it belonged (needs root)', async () => {
    const { path, backup } = await poolAndBackup();
    chownSync(path, NOBODY, NOBODY);
    await restoreDatabase(backup, path, { overwrite: true });
    expect(statSync(path)).toMatchObject({ uid: NOBODY, gid: NOBODY });
  });

  it('belongs to this user if it may not be given away', async () => {
    const { path, backup, folder } = await poolAndBackup();
    const denied = (call: string): Answer | null => (['chmod', 'chown'].includes(call) ? 'EPERM' : null);
    expect(
      await failing(folder, denied, () => restoreDatabase(backup, path, { overwrite: true })),
    ).toBeNull();
    const broken = (call: string): Answer | null => (call === 'chmod' ? 'EIO' : null);
    expect(
      await failing(folder, broken, () => restoreDatabase(backup, path, { overwrite: true })),
    ).toMatchObject({ code: 'IO' });
  });

  it('is not put there if the pool cannot be kept, and says what to do', async () => {
    const { path, backup, folder } = await poolAndBackup();
    for (const [errno, code] of [
      ['EPERM', 'UNSUPPORTED'],
      ['ENOSYS', 'UNSUPPORTED'],
      ['ENOSPC', 'DISK_FULL'],
    ] as const) {
      const noLinks = (call: string): Answer | null => (call === 'link' ? errno : null);
      expect(
        await failing(folder, noLinks, () => restoreDatabase(backup, path, { overwrite: true })),
      ).toMatchObject({ code });
      expect(readdirSync(folder)).toEqual(['pool.db']);
      using db = initDatabase({ path });
      expect(db.migrations.getApplied().length).toBeGreaterThan(0);
    }
    const [{ message }] = [
      (await failing(
        folder,
        (call) => (call === 'link' ? 'EPERM' : null),
        () => restoreDatabase(backup, path, { overwrite: true }),
      )) as Error,
    ];
    expect(message).toContain(`move ${path} away`);
  });

  it('is not put there if its name cannot be given, and a damaged pool then has its log again', async () => {
    const { path, backup, folder } = await poolAndBackup();
    writeFileSync(path, 'damaged beyond reading');
    writeFileSync(`${path}-wal`, 'its log');
    let renames = 0;
    // The first moves the log beside the name under which the pool is kept.
    const second = (call: string): Answer | null => (call === 'rename' && ++renames === 2 ? 'EIO' : null);
    const error = await failing(folder, second, () => restoreDatabase(backup, path, { overwrite: true }));
    expect(error).toMatchObject({ code: 'IO' });
    expect(renames).toBe(3);
    expect(readdirSync(folder).sort()).toEqual(['pool.db', 'pool.db-wal']);
    expect(readFileSync(`${path}-wal`, 'utf8')).toBe('its log');
    expect(readFileSync(path, 'utf8')).toBe('damaged beyond reading');
  });
});

describe('an empty file, which a killed process has left,', () => {
  it('is no pool: a backup takes its place unasked, and nothing is kept', async () => {
    const { backup } = await poolAndBackup();
    const folder = temporaryFolder();
    const path = join(folder, 'pool.db');
    copyFileSync('/dev/null', path);
    expect(await restoreDatabase(backup, path)).toMatchObject({ replaced: null });
    expect(readdirSync(folder)).toEqual(['pool.db']);
    initDatabase({ path }).close();
  });

  it('is made to be locked, and goes again if the restore fails', async () => {
    const { backup } = await poolAndBackup();
    const folder = temporaryFolder();
    const path = join(folder, 'pool.db');
    const failed = (call: string): Answer | null => (call === 'rename' ? 'EIO' : null);
    expect(await failing(folder, failed, () => restoreDatabase(backup, path))).toMatchObject({ code: 'IO' });
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a lock against every other connection', () => {
  it('is of the file that is there in the end, if another restore replaces it meanwhile', async () => {
    const { path, backup } = await poolAndBackup();
    const pragma = Database.prototype.pragma;
    let isReplaced = false;
    vi.spyOn(Database.prototype, 'pragma').mockImplementation(function (this: Database.Database, ...args) {
      if (!isReplaced && args[0] === 'journal_mode = DELETE') {
        isReplaced = true;
        copyFileSync(backup, `${path}.new`);
        renameSync(`${path}.new`, path);
      }
      return pragma.apply(this, args);
    });
    const lock = await lockAlone(path, 60_000);
    const other = new Database(path, { timeout: 0 });
    expect(thrownBy(() => other.exec('BEGIN IMMEDIATE'))).toMatchObject({ code: 'SQLITE_BUSY' });
    lock.close();
    other.exec('BEGIN IMMEDIATE');
    other.close();
    vi.restoreAllMocks();
  });
});

it('the lock under which a pool is replaced has all on the disk when it commits', async () => {
  const { path } = await poolAndBackup();
  const lock = await lockAlone(path, 0);
  expect(lock.pragma('synchronous', { simple: true })).toBe(2);
  lock.close();
});

describe('a restore', () => {
  it('waits until nobody has the pool open', async () => {
    const { path, backup } = await poolAndBackup();
    const open = initDatabase({ path });
    let tries = 0;
    const pragma = Database.prototype.pragma;
    vi.spyOn(Database.prototype, 'pragma').mockImplementation(function (this: Database.Database, ...args) {
      try {
        return pragma.apply(this, args);
      } catch (error) {
        // It is closed right after the first try has failed.
        if (args[0] === 'journal_mode = DELETE' && ++tries === 1) open.close();
        throw error;
      }
    });
    expect(await restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 60_000 })).toMatchObject({
      path,
    });
    vi.restoreAllMocks();
    expect(tries).toBe(1);
  });

  it('of what is no file, or of the pool itself by another name, changes nothing', async () => {
    const { path, backup, folder } = await poolAndBackup();
    for (const [from, to, code] of [
      [':memory:', path, 'INVALID_INPUT'],
      [backup, ':memory:', 'INVALID_INPUT'],
      [backup, `${path}-wal`, 'INVALID_INPUT'],
      [path, path, 'INVALID_INPUT'],
      [join(folder, '..', folder.split('/').at(-1) ?? '', 'pool.db'), path, 'INVALID_INPUT'],
      [`${path}-wal`, path, 'INVALID_INPUT'],
      [join(folder, 'absent'), path, 'CANNOT_OPEN'],
      [folder, path, 'CANNOT_OPEN'],
      [backup, folder, 'CANNOT_OPEN'],
      [backup, path, 'CONFLICT'],
    ] as const) {
      const overwrite = code !== 'CONFLICT';
      await expect(restoreDatabase(from, to, { overwrite }), `${from} ${to}`).rejects.toMatchObject({ code });
    }
    expect(readdirSync(folder)).toEqual(['pool.db']);
    expect(thrownBy(() => initDatabase({ path: folder }))).toMatchObject({ code: 'CANNOT_OPEN' });
  });
});
