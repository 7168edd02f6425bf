import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runKilled, shim } from '../support/killing.ts';
import { makeSocket, openDatabase, openMigrated, temporaryFolder } from '../support/temporary.ts';

const COPYING = fileURLToPath(new URL('../fixtures/copying.mjs', import.meta.url));
const MIGRATING = `
  import { initDatabase } from 'proxyvault/database';
  const db = initDatabase({ path: process.argv[1] });
  for (;;) { db.migrations.down(1); db.migrations.up(); }`;

function fill(db: DatabaseManager, count: number): void {
  db.driver.run(
    `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :count)
     INSERT INTO proxies (id, name, host, port, protocol) SELECT 'p' || n, 'name ' || n, 'h' || n || '.example', 80, 'http' FROM c`,
    { count },
  );
}

const partialsIn = (folder: string): string[] =>
  readdirSync(folder).filter((name) => /\.partial(-\w+)?$/.test(name));

describe('a backup never overwrites', () => {
  it('a part of its own pool, through whatever name', async () => {
    const db = openMigrated();
    fill(db, 10);
    const folder = temporaryFolder();
    linkSync(db.path, join(folder, 'hard'));
    linkSync(`${db.path}-wal`, join(folder, 'hard-log'));
    symlinkSync(db.path, join(folder, 'soft'));
    const own = ['hard', 'hard-log', 'soft'].map((name) => join(folder, name));
    const beside = ['', '-wal', '-shm', '-journal', '-JOURNAL', '.20260102T030405678Z.before-002_x.backup'];
    for (const target of [...own, ...beside.map((suffix) => `${db.path}${suffix}`)]) {
      for (const overwrite of [false, true])
        await expect(db.backup(target, { overwrite }), target).rejects.toMatchObject({
          code: 'INVALID_INPUT',
        });
    }
    // Opened by another name: copies that are removed later may have the real one.
    const linked = initDatabase({ path: join(folder, 'soft') });
    onTestFinished(() => linked.close());
    await expect(linked.backup(`${db.path}.20260102T030405678Z.before-002_x.backup`)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await db.check({ deep: true })).toMatchObject({ ok: true });
    expect(readdirSync(folder).filter((name) => !/^soft-/.test(name))).toHaveLength(3);
  });

  it('what is no backup, even if told to overwrite', async () => {
    const db = openMigrated();
    const folder = temporaryFolder();
    const key = join(folder, 'key');
    writeFileSync(key, 'precious');
    await expect(db.backup(key, { overwrite: true })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('never overwritten'),
    });
    expect(readFileSync(key, 'utf8')).toBe('precious');
    await expect(db.backup(folder, { overwrite: true })).rejects.toMatchObject({ code: 'CANNOT_OPEN' });
    for (const name of ['new-wal', 'new-WAL'])
      await expect(db.backup(join(folder, name))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const foreign = openDatabase();
    foreign.driver.exec('CREATE TABLE accounts (name)');
    foreign.close();
    await expect(db.backup(foreign.path, { overwrite: true })).rejects.toMatchObject({ code: 'CONFLICT' });
    // Another program's database in the mode that backups have; and one that has a table of ours.
    for (const tables of ['CREATE TABLE accounts (name)', 'CREATE TABLE proxies (name)']) {
      const other = join(temporaryFolder(), 'other.db');
      const raw = new Database(other);
      raw.exec(tables);
      raw.close();
      const before = readFileSync(other);
      await expect(db.backup(other, { overwrite: true })).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('not a backup of proxyvault'),
      });
      expect(readFileSync(other).equals(before)).toBe(true);
    }
    // A backup that is damaged, and one whose schema is of a later version of SQLite.
    for (const [at, code] of [
      [100, 'CONFLICT'],
      [47, 'SQL'],
    ] as const) {
      const older = join(temporaryFolder(), 'older.db');
      await db.backup(older);
      const bytes = readFileSync(older);
      bytes[at] = 9;
      writeFileSync(older, bytes);
      await expect(db.backup(older, { overwrite: true })).rejects.toMatchObject({ code });
      expect(readFileSync(older).equals(bytes)).toBe(true);
    }
    if (process.platform !== 'win32')
      await expect(
        db.backup(makeSocket(join(temporaryFolder(), 'socket')), { overwrite: true }),
      ).rejects.toMatchObject({ code: 'CANNOT_OPEN' });
    // The log of a database that is gone would be applied to the backup.
    writeFileSync(join(folder, 'gone.db-wal'), 'left');
    await expect(db.backup(join(folder, 'gone.db'))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(readdirSync(folder).sort()).toEqual(['gone.db-wal', 'key']);
  });

  it('another pool, idle or with a log, although it has the tables of a backup', async () => {
    const db = openMigrated();
    const other = openMigrated();
    fill(other, 3);
    const copied = join(temporaryFolder(), 'copied.db');
    for (const suffix of ['', '-wal']) copyFileSync(`${other.path}${suffix}`, `${copied}${suffix}`);
    await other[Symbol.asyncDispose]();
    for (const path of [other.path, copied])
      await expect(db.backup(path, { overwrite: true })).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('is a pool'),
      });
    expect(existsSync(`${copied}-wal`)).toBe(true);
    const again = openDatabase({ path: other.path });
    expect((await again.stats()).rows.proxies).toBe(3);
  });

  it('another backup that is made at the same time', async () => {
    const db = openMigrated();
    const folder = temporaryFolder();
    const results = await Promise.allSettled(
      [1, 2, 3, 4].map(() => db.backup(join(folder, 'sub', 'copy.db'))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CONFLICT' });
    expect(readdirSync(join(folder, 'sub'))).toEqual(['copy.db']);
  });
});

describe('the partial copy of a process that was killed (SIGKILL)', () => {
  it('goes with the next backup to that folder; that of a process that lives stays', async () => {
    const db = openMigrated();
    fill(db, 5000);
    const folder = temporaryFolder();
    const target = join(folder, 'daily.db');
    const { signal } = spawnSync(process.execPath, [COPYING, 'backup', db.path, target]);
    expect(signal).toBe('SIGKILL');
    const [left = ''] = partialsIn(folder);
    expect(left).toMatch(/^\.daily\.db\./);
    const living = left.replace(/-\d+-\d+(?=\.)/, `-${process.ppid}-0`);
    const [old, recent] = ['.daily.db.0123456789ab.partial', '.daily.db.ba9876543210.partial'];
    for (const name of [living, old, recent, `${left}-journal`]) writeFileSync(join(folder, name), '');
    // It cannot be removed as a file is, and does not matter.
    mkdirSync(join(folder, `${left}-shm`));
    utimesSync(join(folder, old), new Date(0), new Date(0));
    await db.backup(join(folder, 'other.db'));
    expect(partialsIn(folder).sort()).toEqual([living, recent, `${left}-shm`].sort());
  });

  it('goes with the next migration', async (context) => {
    if (shim.problem) return context.skip(shim.problem);
    const db = openMigrated();
    fill(db, 300);
    await db[Symbol.asyncDispose]();
    const folder = join(db.path, '..');
    // In the middle of the copy that a step down begins with.
    const place = { nth: 40, among: 'changes' } as const;
    const args = ['--input-type=module', '-e', MIGRATING, db.path];
    const { changes, errors } = await runKilled(args, { folder, place });
    expect([changes.at(-1), errors]).toEqual(['write .partial', '']);
    const [left = ''] = partialsIn(folder);
    expect(left).toContain('before-');
    utimesSync(join(folder, left), new Date(0), new Date(0));
    const again = openDatabase({ path: db.path });
    again.migrations.up();
    again.migrations.down(1);
    expect(partialsIn(folder)).toEqual([]);
    expect(existsSync(db.path)).toBe(true);
  });
});
