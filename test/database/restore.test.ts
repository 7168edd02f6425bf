import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type DatabaseManager, initDatabase, restoreDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

const IDLE_READER = `
  const Database = require('better-sqlite3');
  const db = new Database(process.argv[1], { readonly: true });
  db.pragma('schema_version');
  console.log('open');
  setInterval(() => undefined, 1000);`;

function add(db: DatabaseManager, host: string, count = 1): void {
  const proxies = new ProxyRepository(db);
  const before = proxies.count();
  for (let n = 0; n < count; n++) proxies.create({ host, port: 1 + n + before, protocol: 'http' });
}

/** The hosts of a pool that is closed. */
function hostsOf(path: string): string[] {
  const db = initDatabase({ path });
  try {
    return db.driver.all('SELECT host FROM proxies ORDER BY host', {}, (row) => String(row.host));
  } finally {
    db.close();
  }
}

/** A pool with one proxy `old`, closed, and a backup of another with one proxy `new`. */
async function poolAndBackup(): Promise<{ folder: string; path: string; backup: string }> {
  const folder = temporaryFolder();
  const [path, backup] = [join(folder, 'pool.db'), join(temporaryFolder(), 'backup.db')];
  for (const [at, host] of [
    [path, 'old'],
    [join(temporaryFolder(), 'other.db'), 'new'],
  ] as const) {
    const db = initDatabase({ path: at });
    db.migrations.up();
    add(db, host);
    if (host === 'new') await db.backup(backup);
    db.close();
  }
  return { folder, path, backup };
}

/** Copies a pool that is in use as a crash would leave it: with a log. */
function crashTo(db: DatabaseManager, path: string): void {
  for (const suffix of ['', '-wal']) copyFileSync(`${db.path}${suffix}`, `${path}${suffix}`);
}

const replacedIn = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.endsWith('.before-restore.backup'));

describe('restoreDatabase', () => {
  it('puts a backup where no pool is, in folders that it creates', async () => {
    const { backup, folder } = await poolAndBackup();
    const path = join(folder, 'a', 'b', 'pool.db');
    const progress: number[] = [];
    const report = await restoreDatabase(backup, path, {
      onProgress: ({ remainingPages }) => progress.push(remainingPages),
    });
    const schemaVersion = openMigrated().migrations.getCurrentVersion();
    expect(report).toEqual({ path, replaced: null, schemaVersion, notes: [] });
    expect(progress.at(-1)).toBe(0);
    expect(readdirSync(dirname(path))).toEqual(['pool.db']);
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(hostsOf(path)).toEqual(['new']);
    expect(hostsOf(backup)).toEqual(['new']);
  });

  it('makes a pool, which no backup takes the place of, even if nobody has opened it yet', async () => {
    const { backup, path } = await poolAndBackup();
    await restoreDatabase(backup, path, { overwrite: true });
    const before = readFileSync(path);
    const other = openMigrated();
    await expect(other.backup(path, { overwrite: true })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('is a pool'),
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(existsSync(`${path}-wal`)).toBe(false);
    await other.backup(backup, { overwrite: true });
    expect(hostsOf(path)).toEqual(['new']);
  });

  it('replaces a pool only if told to, and keeps it with what was in its log', async () => {
    const { backup, folder, path } = await poolAndBackup();
    const db = openDatabase({ path });
    add(db, 'old-in-log');
    const crashed = join(temporaryFolder(), 'crashed.db');
    crashTo(db, crashed);
    db.close();
    await expect(restoreDatabase(backup, crashed)).rejects.toMatchObject({ code: 'CONFLICT' });
    const { replaced } = await restoreDatabase(backup, crashed, { overwrite: true });
    expect(readdirSync(dirname(crashed)).sort()).toEqual(['crashed.db', basename(String(replaced))]);
    expect(hostsOf(crashed)).toEqual(['new']);
    expect(hostsOf(String(replaced))).toEqual(['old', 'old-in-log']);
    // And back again.
    await restoreDatabase(String(replaced), crashed, { overwrite: true });
    expect(hostsOf(crashed)).toEqual(['old', 'old-in-log']);
    for (let n = 0; n < 4; n++) await restoreDatabase(backup, path, { overwrite: true });
    expect(replacedIn(folder)).toHaveLength(3);
  });

  it('refuses while the pool is open, here or in another process, also by who only reads and is idle', async () => {
    const { backup, folder, path } = await poolAndBackup();
    const options = { overwrite: true, busyTimeoutMs: 0 };
    for (const readonly of [false, true]) {
      const db = openDatabase({ path, readonly });
      await expect(restoreDatabase(backup, path, options)).rejects.toMatchObject({ code: 'BUSY' });
      await db[Symbol.asyncDispose]();
    }
    const child = spawn(process.execPath, ['-e', IDLE_READER, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    await expect(restoreDatabase(backup, path, options)).rejects.toMatchObject({
      code: 'BUSY',
      message: expect.stringContaining('close it there'),
    });
    expect(replacedIn(folder)).toEqual([]);
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    expect(hostsOf(path)).toEqual(['old']);
    await restoreDatabase(backup, path, options);
    expect(hostsOf(path)).toEqual(['new']);
  });

  it('refuses a backup that is not a sound pool, and changes nothing', async () => {
    const { backup, folder, path } = await poolAndBackup();
    const bad = (name: string): string => join(folder, name);
    const changed = async (name: string, sql: string): Promise<string> => {
      copyFileSync(backup, bad(name));
      await using db = initDatabase({ path: bad(name) });
      db.driver.pragma('foreign_keys = OFF');
      db.driver.exec(sql);
      return bad(name);
    };
    writeFileSync(bad('text'), 'no database, whatever its name says'.repeat(50));
    const bytes = readFileSync(backup);
    writeFileSync(bad('damaged'), bytes.fill(0x5a, 4096 * 3, 4096 * 6));
    writeFileSync(bad('cut'), readFileSync(backup).subarray(0, 4096 * 5));
    const foreign = openDatabase();
    foreign.driver.exec('CREATE TABLE accounts (name)');
    foreign.close();
    linkSync(path, bad('link'));
    const newer = await changed(
      'newer',
      `INSERT INTO schema_migrations VALUES (99, 'proxyvault', 99, '099_later', 'x', 'x')`,
    );
    const dangling = await changed(
      'dangling',
      `INSERT INTO sticky_sessions (domain, proxy_id) VALUES ('a.example', 'gone')`,
    );
    const cases = [
      [bad('missing'), 'CANNOT_OPEN'],
      [folder, 'CANNOT_OPEN'],
      [bad('text'), 'NOT_A_DATABASE'],
      [bad('damaged'), 'CORRUPT'],
      [bad('cut'), 'CORRUPT'],
      [foreign.path, 'NOT_A_DATABASE'],
      [newer, 'DATABASE_NEWER'],
      [dangling, 'CORRUPT'],
      [path, 'INVALID_INPUT'],
      [bad('link'), 'INVALID_INPUT'],
      [`${path}-wal`, 'INVALID_INPUT'],
    ] as const;
    for (const [file, code] of cases)
      await expect(restoreDatabase(file, path, { overwrite: true }), file).rejects.toMatchObject({ code });
    await expect(restoreDatabase(backup, bad('x-wal'))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(restoreDatabase(backup, folder, { overwrite: true })).rejects.toMatchObject({
      code: 'CANNOT_OPEN',
    });
    expect(readdirSync(folder).filter((name) => /partial|restore/.test(name))).toEqual([]);
    expect(hostsOf(path)).toEqual(['old']);
  });

  it('takes what is in the log of a backup that was copied with it', async () => {
    const { path } = await poolAndBackup();
    const db = openMigrated();
    add(db, 'in-log', 2);
    const backup = join(temporaryFolder(), 'copied.db');
    crashTo(db, backup);
    await restoreDatabase(backup, path, { overwrite: true });
    expect(hostsOf(path)).toEqual(['in-log', 'in-log']);
  });

  it('replaces a pool that is damaged, and keeps its file and its log as they are', async () => {
    const { backup } = await poolAndBackup();
    for (const content of ['', 'garbage'.repeat(2000)]) {
      const path = join(temporaryFolder(), 'pool.db');
      writeFileSync(path, content);
      writeFileSync(`${path}-wal`, 'what can be rescued');
      const { replaced } = await restoreDatabase(backup, path, { overwrite: true });
      expect(readFileSync(String(replaced), 'utf8')).toBe(content);
      expect(readFileSync(`${replaced}-wal`, 'utf8')).toBe('what can be rescued');
      expect(existsSync(`${path}-wal`)).toBe(false);
      expect(hostsOf(path)).toEqual(['new']);
    }
  });

  it.runIf(process.platform === 'linux')(
    'leaves a pool that is damaged alone while another process has it open',
    async () => {
      const { backup, path } = await poolAndBackup();
      const reader = spawn(process.execPath, ['-e', IDLE_READER, path]);
      onTestFinished(() => void reader.kill('SIGKILL'));
      await once(reader.stdout, 'data');
      const content = 'garbage'.repeat(2000);
      writeFileSync(path, content);
      await expect(
        restoreDatabase(backup, path, { overwrite: true, busyTimeoutMs: 100 }),
      ).rejects.toMatchObject({ code: 'BUSY', message: expect.stringContaining('damaged, and still open') });
      expect(readFileSync(path, 'utf8')).toBe(content);
    },
  );

  it('keeps the backup, even if that is the oldest pool that earlier restores have replaced', async () => {
    const { backup, folder, path } = await poolAndBackup();
    const { replaced } = await restoreDatabase(backup, path, { overwrite: true });
    for (let n = 0; n < 3; n++) {
      await restoreDatabase(String(replaced), path, { overwrite: true });
      expect(hostsOf(path)).toEqual(['old']);
    }
    expect(existsSync(String(replaced))).toBe(true);
    // One that cannot be removed: that matters less than the restore.
    const stuck = `${path}.20000101T000000000Z.before-restore.backup`;
    mkdirSync(stuck);
    const warned = once(process, 'warning');
    await restoreDatabase(backup, path, { overwrite: true });
    expect(await warned).toMatchObject([{ code: 'PROXYVAULT_OLD_COPY' }]);
    expect(replacedIn(folder)).toContain(basename(stuck));
  });

  it('goes to where a killed process has left a pool with its log, which belongs to that pool', async () => {
    const { backup, path } = await poolAndBackup();
    const killed = openMigrated();
    new ProxyRepository(killed).create({ host: 'killed', port: 1, protocol: 'http' });
    rmSync(path);
    for (const suffix of ['', '-wal']) copyFileSync(`${killed.path}${suffix}`, `${path}${suffix}`);
    const { notes, replaced } = await restoreDatabase(backup, path, { overwrite: true });
    expect(notes).toEqual([]);
    expect(hostsOf(path)).toEqual(['new']);
    expect(hostsOf(String(replaced))).toEqual(['killed']);
  });

  it('goes to where only a log was left, which is kept', async () => {
    const { backup, folder, path } = await poolAndBackup();
    rmSync(path);
    writeFileSync(`${path}-wal`, 'left');
    expect(await restoreDatabase(backup, path)).toMatchObject({
      replaced: null,
      notes: [expect.stringContaining('log without its pool')],
    });
    expect(hostsOf(path)).toEqual(['new']);
    const [kept = ''] = readdirSync(folder).filter((name) => name.endsWith('.before-restore.backup-wal'));
    expect(readFileSync(join(folder, kept), 'utf8')).toBe('left');
  });

  it('names malformed rows and objects that are not ours, and never widens permissions', async () => {
    const { backup, path } = await poolAndBackup();
    const db = openDatabase({ path: backup });
    db.driver.exec(`CREATE TRIGGER redirect AFTER UPDATE ON proxies BEGIN SELECT 1; END;
      PRAGMA ignore_check_constraints = ON; UPDATE proxies SET port = 'x'`);
    await db[Symbol.asyncDispose]();
    for (const [mode, expected] of [
      [0o666, 0o600],
      [0o664, 0o600],
      [0o660, 0o660],
    ] as const) {
      chmodSync(path, mode);
      const { notes } = await restoreDatabase(backup, path, { overwrite: true });
      expect(notes).toEqual([expect.stringContaining('proxies'), expect.stringContaining('redirect')]);
      if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(expected);
    }
  });

  it('takes a backup in WAL mode from where SQLite can write no log', async () => {
    const { backup, path } = await poolAndBackup();
    hostsOf(backup);
    // As on a read-only disk, which a test cannot make everywhere: the log cannot be opened.
    symlinkSync(join(dirname(backup), 'missing', 'log'), `${backup}-wal`);
    await restoreDatabase(backup, path, { overwrite: true });
    expect(hostsOf(path)).toEqual(['new']);
  });

  it.skipIf(process.platform === 'win32')(
    'puts credentials into a folder that everybody may write only if told to',
    async () => {
      const { backup } = await poolAndBackup();
      const db = openDatabase({ path: backup });
      db.driver.exec(`INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag)
        SELECT id, 'AA==', 'AA==', 'AA==' FROM proxies`);
      await db[Symbol.asyncDispose]();
      const folder = temporaryFolder();
      chmodSync(folder, 0o777);
      const path = join(folder, 'pool.db');
      await expect(restoreDatabase(backup, path)).rejects.toMatchObject({ code: 'CANNOT_OPEN' });
      expect(readdirSync(folder)).toEqual([]);
      await restoreDatabase(backup, path, { allowOthersToWrite: true });
      expect(existsSync(path)).toBe(true);
    },
  );

  it('follows a symbolic link to the pool', async () => {
    const { backup, folder, path } = await poolAndBackup();
    const link = join(temporaryFolder(), 'link.db');
    symlinkSync(path, link);
    expect(await restoreDatabase(backup, link, { overwrite: true })).toMatchObject({ path: link });
    expect(hostsOf(path)).toEqual(['new']);
    expect(replacedIn(folder)).toHaveLength(1);
  });
});

describe('a log that belongs to another file', () => {
  it('is noticed when a backup was copied over a pool: nothing is changed, and restore puts it right', async () => {
    const { backup } = await poolAndBackup();
    const db = openMigrated();
    add(db, 'old', 5);
    const path = join(temporaryFolder(), 'pool.db');
    crashTo(db, path);
    const own = join(temporaryFolder(), 'own.db');
    await db.backup(own);
    for (const copied of [backup, own]) {
      copyFileSync(copied, path);
      const before = [readFileSync(path), readFileSync(`${path}-wal`)];
      for (const readonly of [false, true])
        expect(thrownBy(() => initDatabase({ path, readonly }))).toMatchObject({
          code: 'CORRUPT',
          message: expect.stringContaining('proxyvault restore'),
        });
      expect([readFileSync(path), readFileSync(`${path}-wal`)]).toEqual(before);
    }
    // Neither as a backup is such a pair taken.
    await expect(restoreDatabase(path, join(temporaryFolder(), 'x.db'))).rejects.toMatchObject({
      code: 'CORRUPT',
    });
    const { replaced } = await restoreDatabase(backup, path, { overwrite: true });
    expect(existsSync(`${replaced}-wal`)).toBe(true);
    expect(hostsOf(path)).toEqual(['new']);
  });

  it.each(['empty', 'missing'])(
    'is kept if the file beside it is %s, and restore puts it right',
    async (state) => {
      const { backup } = await poolAndBackup();
      const db = openMigrated();
      add(db, 'old', 5);
      const path = join(temporaryFolder(), 'pool.db');
      crashTo(db, path);
      if (state === 'empty') writeFileSync(path, '');
      else rmSync(path);
      const log = readFileSync(`${path}-wal`);
      expect(thrownBy(() => initDatabase({ path }))).toMatchObject({
        code: 'NOT_A_DATABASE',
        message: expect.stringContaining('proxyvault restore'),
        details: { log: `${path}-wal` },
      });
      expect(existsSync(path)).toBe(state === 'empty');
      expect(readFileSync(`${path}-wal`).equals(log)).toBe(true);
      const { replaced, notes } = await restoreDatabase(backup, path, { overwrite: true });
      const kept = replaced ?? String(notes.join()).replace(/.*it is now (.*)-wal\.$/, '$1');
      expect(readFileSync(`${kept}-wal`).equals(log)).toBe(true);
      expect(hostsOf(path)).toEqual(['new']);
    },
  );

  it('is read if the pool is new, and all that it has is in the log', () => {
    const db = openDatabase();
    const path = join(temporaryFolder(), 'pool.db');
    // Only the first page is in the file: SQLite writes it before the log is there.
    db.migrations.up();
    add(db, 'new');
    crashTo(db, path);
    expect(statSync(path).size).toBe(4096);
    expect(hostsOf(path)).toEqual(['new']);
    // Killed before SQLite wrote anything.
    const empty = join(temporaryFolder(), 'empty.db');
    writeFileSync(empty, '');
    writeFileSync(`${empty}-wal`, '');
    initDatabase({ path: empty }).close();
    expect(statSync(empty).size).toBeGreaterThan(0);
  });

  it('is noticed when the closed file of another pool was copied there, or an old copy of this one', async () => {
    const path = join(temporaryFolder(), 'pool.db');
    const lived = join(temporaryFolder(), 'lived.db');
    const young = openMigrated();
    young.close();
    for (let day = 0; day < 5; day++) {
      const db = openMigrated({ path: lived });
      add(db, 'old', 100);
      db.close();
      if (day === 0) copyFileSync(lived, `${lived}.old`);
    }
    const db = openDatabase({ path: lived });
    // A log that has the first page of the file, then one that does not.
    for (const sql of ['CREATE TABLE mine (x)', 'UPDATE proxies SET latency = 1']) {
      db.checkpoint();
      db.driver.run(sql, {});
      for (const copied of [young.path, `${lived}.old`]) {
        crashTo(db, path);
        expect(hostsOf(path)).toHaveLength(500);
        crashTo(db, path);
        copyFileSync(copied, path);
        expect(
          thrownBy(() => initDatabase({ path })),
          `${sql} ${copied}`,
        ).toMatchObject({ code: 'CORRUPT' });
      }
    }
    renameSync(`${path}-wal`, `${path}.log-of-another`);
    expect(hostsOf(path)).toHaveLength(100);
  });

  it('is not seen in a log of its own: after a crash, halfway through a checkpoint, and while others write', async () => {
    const db = openMigrated();
    const folder = temporaryFolder();
    for (let round = 0; round < 12; round++) {
      add(db, 'h', 5);
      if (round % 4 === 1) db.checkpoint();
      // Writes without a change of the first page.
      if (round % 3 === 2) db.driver.run(`UPDATE proxies SET latency = ${round}`, {});
      if (round % 5 === 4) db.driver.pragma('wal_checkpoint(PASSIVE)');
      const path = join(folder, `${round}.db`);
      crashTo(db, path);
      expect(hostsOf(path)).toHaveLength((round + 1) * 5);
      expect(hostsOf(db.path)).toHaveLength((round + 1) * 5);
      // A checkpoint that was cut off: some pages of the new file, the others of the old one.
      crashTo(db, path);
      const before = readFileSync(path);
      db.driver.pragma('wal_checkpoint(PASSIVE)');
      const after = readFileSync(db.path);
      writeFileSync(path, Buffer.concat([after.subarray(0, 4096 * 3), before.subarray(4096 * 3)]));
      expect(hostsOf(path)).toHaveLength((round + 1) * 5);
    }
  });
});
