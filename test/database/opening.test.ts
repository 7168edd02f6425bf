import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';

import { join } from 'node:path';
import { initDatabase } from 'proxyvault/database';
import { describe, expect, it, vi } from 'vitest';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

const POSIX = process.platform !== 'win32';

describe('initDatabase refuses', () => {
  it('an invalid path', () => {
    for (const path of ['', '  ', 'a\0b', 'pool.db ', 'pool.db\n', undefined, 7]) {
      expect(thrownBy(() => initDatabase({ path: path as string }))).toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('options that there are not, such as a misspelt one', () => {
    const path = join(temporaryFolder(), 'pool.db');
    expect(thrownBy(() => initDatabase({ path, readOnly: true } as { path: string }))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('"readOnly"; there are path, verbose, readonly'),
    });
    for (const options of [undefined, null, path, [path]]) {
      expect(thrownBy(() => initDatabase(options as never))).toMatchObject({ code: 'INVALID_INPUT' });
    }
    expect(existsSync(path)).toBe(false);
  });

  it('options outside their range', () => {
    const path = ':memory:';
    const bad = [
      { busyTimeoutMs: -1 },
      { busyTimeoutMs: Number.NaN },
      { maxReaders: 0 },
      { migrationBackups: 1.5 },
      { readonly: true },
    ];
    for (const options of [...bad, { durability: 'off' as 'full' }]) {
      expect(thrownBy(() => initDatabase({ path, ...options }))).toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('a folder', () => {
    const folder = temporaryFolder();
    expect(thrownBy(() => initDatabase({ path: folder }))).toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining('is a folder'),
    });
  });

  it.each([5, 100, 5000, 70_000])(
    'a file of %i bytes that is no database, and leaves it untouched',
    (size) => {
      const path = join(temporaryFolder(), 'notes.txt');
      const content = 'not a database, '.repeat(size).slice(0, size);
      writeFileSync(path, content);
      const before = statSync(path).mtimeMs;

      for (const readonly of [false, true]) {
        expect(thrownBy(() => initDatabase({ path, readonly }))).toMatchObject({ code: 'NOT_A_DATABASE' });
      }

      expect(readFileSync(path, 'utf8')).toBe(content);
      expect(statSync(path).mtimeMs).toBe(before);
      expect(existsSync(`${path}-wal`)).toBe(false);
    },
  );

  it('to create a read-only database, or a folder for it', () => {
    const path = join(temporaryFolder(), 'missing', 'pool.db');
    expect(thrownBy(() => initDatabase({ path, readonly: true }))).toMatchObject({ code: 'CANNOT_OPEN' });
    expect(existsSync(join(path, '..'))).toBe(false);
  });

  it.skipIf(!POSIX)(
    'a name with which those of the log and the journal would be too long, and creates nothing',
    () => {
      const folder = temporaryFolder();
      for (const length of [248, 251, 255]) {
        const path = join(folder, 'p'.repeat(length));
        expect(thrownBy(() => initDatabase({ path }))).toMatchObject({
          code: 'CANNOT_OPEN',
          details: { errno: 'ENAMETOOLONG' },
        });
      }
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it('a path below a file', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(thrownBy(() => initDatabase({ path: join(file, 'pool.db') }))).toMatchObject({
      code: 'CANNOT_OPEN',
    });
  });

  it.runIf(POSIX)('a file that this user may not read', () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const path = join(folder, 'pool.db');
    writeFileSync(path, '');
    chmodSync(path, 0o000);
    // Root may read everything, so a child without that right tries.
    const script = `
      const { initDatabase } = await import('proxyvault/database');
      if (process.getuid() === 0) process.setuid(65534);
      try { initDatabase({ path: ${JSON.stringify(path)} }); } catch (error) { console.log(error.code + ' ' + error.message); }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^CANNOT_OPEN .*may not be read/);
    expect(statSync(path).size).toBe(0);
  });
});

describe('initDatabase', () => {
  it.runIf(POSIX)('makes missing folders 0700 and the file, log and index 0600, whatever the umask', () => {
    const path = join(temporaryFolder(), 'a', 'b', 'pool.db');
    const umask = process.umask(0);
    try {
      const db = openMigrated({ path });
      expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
      expect(statSync(join(path, '..', '..')).mode & 0o777).toBe(0o700);
      for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
      db.close();
    } finally {
      process.umask(umask);
    }
  });

  it('works in memory', () => {
    const db = openMigrated({ path: ':memory:' });
    expect(db.migrations.getCurrentVersion()).toBeGreaterThan(0);
  });

  it('sets its pragmas on the connection', () => {
    const db = openDatabase();
    const pragmas = Object.fromEntries(
      ['journal_mode', 'synchronous', 'foreign_keys', 'trusted_schema', 'busy_timeout'].map((name) => [
        name,
        db.driver.pragma(name),
      ]),
    );
    expect(pragmas).toEqual({
      journal_mode: 'wal',
      synchronous: 2,
      foreign_keys: 1,
      trusted_schema: 0,
      // Waiting for locks is our own, see waiting.ts.
      busy_timeout: 0,
    });
    expect(openDatabase({ durability: 'normal' }).driver.pragma('synchronous')).toBe(1);
  });

  it('refuses every write when read-only, and reads', () => {
    const db = openMigrated();
    db.driver.run(
      `INSERT INTO proxies (id, name, host, port, protocol) VALUES ('a', 'a', 'h', 1, 'http')`,
      {},
    );
    const reader = openDatabase({ path: db.path, readonly: true });
    expect(reader.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n)).toBe(1);
    expect(thrownBy(() => reader.driver.run('DELETE FROM proxies', {}))).toMatchObject({ code: 'READ_ONLY' });
    expect(thrownBy(() => reader.migrations.down())).toMatchObject({ code: 'READ_ONLY' });
    reader.migrations.up();
  });

  it('shows the SQL text and never a value', () => {
    const heard: string[] = [];
    const db = openDatabase({ verbose: (sql) => heard.push(sql) });
    db.driver.first('SELECT :secret AS s', { secret: 'canary-4711' }, (row) => row.s);
    db.transaction(() => db.driver.all('SELECT :secret AS s', { secret: 'canary-4711' }, (row) => row.s));
    expect(heard.slice(-4)).toEqual([
      'SELECT :secret AS s',
      'BEGIN IMMEDIATE',
      'SELECT :secret AS s',
      'COMMIT',
    ]);
    expect(heard.join()).not.toContain('canary');
  });

  it('shows background queries and streams too', async () => {
    const heard: string[] = [];
    const db = openDatabase({ verbose: (sql) => heard.push(sql) });
    await db.background.all('SELECT 4711 AS x');
    expect([...db.driver.iterate('SELECT 4712 AS x', {}, (row) => row.x)]).toEqual([4712]);
    expect(heard).toEqual(expect.arrayContaining(['SELECT 4711 AS x', 'SELECT 4712 AS x']));
  });

  it('prints the SQL to standard error with verbose: true', () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => {});
    const db = openDatabase({ verbose: true });
    db.driver.first('SELECT :v AS v', { v: 'canary' }, (row) => row.v);
    expect(print).toHaveBeenCalledWith('SELECT :v AS v');
    print.mockRestore();
  });

  it('takes a path with odd characters as it is', () => {
    const path = join(temporaryFolder(), 'file:pool?mode=memory&x=ä b.db');
    if (!POSIX) return;
    openMigrated({ path });
    expect(existsSync(path)).toBe(true);
  });
});

describe('close', () => {
  it('can be called twice, by using, and refuses what comes after', async () => {
    let kept: ReturnType<typeof openMigrated>;
    {
      using db = openMigrated();
      kept = db;
    }
    kept.close();
    expect(kept.open).toBe(false);
    const uses: (() => unknown)[] = [
      () => kept.driver.first('SELECT 1 AS x', {}, (row) => row.x),
      () => kept.driver.run('DELETE FROM proxies', {}),
      () => kept.transaction(() => 1),
      () => kept.migrations.up(),
      () => kept.checkpoint(),
      () => [...kept.driver.iterate('SELECT 1 AS x', {}, (row) => row.x)],
      () => kept.driver.exec('SELECT 1'),
      () => kept.driver.pragma('user_version'),
    ];
    for (const use of uses) expect(thrownBy(use)).toMatchObject({ code: 'CLOSED' });
    for (const use of [kept.background.all('SELECT 1'), kept.backup('x'), kept.check(), kept.stats()]) {
      await expect(use).rejects.toMatchObject({ code: 'CLOSED' });
    }
  });

  it('leaves one file, the log moved into it', () => {
    const db = openMigrated();
    db.close();
    expect(existsSync(db.path)).toBe(true);
    expect(existsSync(`${db.path}-wal`)).toBe(false);
  });

  it('is refused inside the database\u2019s own transaction', () => {
    const db = openMigrated();
    expect(thrownBy(() => db.transaction(() => db.close()))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(db.open).toBe(true);
  });

  it('works in a folder made before, with a database beside it', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'x'));
    const first = openMigrated({ path: join(folder, 'x', 'one.db') });
    const second = openMigrated({ path: join(folder, 'x', 'two.db') });
    first.close();
    expect(second.open).toBe(true);
  });
});
