import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { initDatabase } from 'proxyvault/database';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openConnection, openReader } from '../../../src/database/drivers/sqlite/connection.ts';
import { assertOwnLog } from '../../../src/database/drivers/sqlite/foreign-log.ts';
import { prepareFile } from '../../../src/database/drivers/sqlite/prepare-file.ts';
import { StatementCache } from '../../../src/database/drivers/sqlite/statements.ts';
import { failing } from '../../support/file-calls.ts';
import {
  makeSocket,
  openDatabase,
  openMigrated,
  temporaryFolder,
  thrownBy,
} from '../../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../../support/file-calls.ts')).watched(await load()));

afterEach(() => {
  vi.restoreAllMocks();
});

const options = (path: string) =>
  ({ path, readonly: false, durability: 'full', busyTimeoutMs: 1234 }) as const;

const PRAGMAS = {
  journal_mode: 'wal',
  busy_timeout: 0,
  foreign_keys: 1,
  trusted_schema: 0,
  cell_size_check: 1,
  secure_delete: 1,
  temp_store: 2,
  synchronous: 2,
  journal_size_limit: 64 * 1024 * 1024,
  query_only: 0,
};

function pragmasOf(connection: Database.Database): object {
  const names = Object.keys(PRAGMAS);
  return Object.fromEntries(names.map((name) => [name, connection.pragma(name, { simple: true })]));
}

describe('a connection', () => {
  it('has each of its pragmas', () => {
    const { path } = openMigrated();
    for (const [opened, differences] of [
      [openConnection(options(path)), {}],
      [openConnection({ ...options(path), durability: 'normal' }), { synchronous: 1 }],
      [openReader(options(path)), { query_only: 1, busy_timeout: 1234 }],
    ] as const) {
      expect(pragmasOf(opened)).toEqual({ ...PRAGMAS, ...differences });
      expect(opened.readonly).toBe('query_only' in differences);
      opened.close();
    }
  });

  it('that SQLite does not give its pragmas, or write-ahead logging, is not used', () => {
    const { path } = openDatabase();
    for (const answer of [{ trusted_schema: 1 }, { secure_delete: 0 }]) {
      fakeAnswer(answer);
      expect(thrownBy(() => openConnection(options(path)))).toMatchObject({ code: 'UNSUPPORTED' });
      vi.restoreAllMocks();
    }
    const pragma = Database.prototype.pragma;
    vi.spyOn(Database.prototype, 'pragma').mockImplementation(function (this: Database.Database, ...args) {
      return args[0] === 'journal_mode = WAL' ? 'delete' : pragma.apply(this, args);
    });
    expect(thrownBy(() => openConnection(options(path)))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('local disk'),
    });
  });

  it.each([
    ['3.51.3', true],
    ['3.51.10', true],
    ['3.100.0', true],
    ['4.0.0', true],
    ['3.51.2', false],
    ['3.9.99', false],
    ['2.99.99', false],
  ])('of SQLite %s is used: %s', (version, isUsed) => {
    const { path } = openDatabase();
    fakeAnswer({ version });
    if (isUsed) openConnection(options(path)).close();
    else
      expect(thrownBy(() => openConnection(options(path)))).toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringContaining(version),
      });
  });

  it('is to the file that is there in the end, if a restore replaces it meanwhile', () => {
    const { path } = openDatabase();
    const other = openDatabase();
    other.driver.exec('CREATE TABLE restored (x)');
    other.close();
    let replaced = false;
    const pragma = Database.prototype.pragma;
    vi.spyOn(Database.prototype, 'pragma').mockImplementation(function (this: Database.Database, ...args) {
      if (!replaced && args[0] === 'schema_version') {
        replaced = true;
        copyFileSync(other.path, `${path}.new`);
        renameSync(`${path}.new`, path);
      }
      return pragma.apply(this, args);
    });
    const opened = openConnection({ ...options(path), readonly: true });
    expect(opened.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['restored']);
    opened.close();
  });

  it('is not refused for a log that seems to be another file\u2019s while another process writes', async () => {
    const raw = new Database(join(temporaryFolder(), 'raw.db'));
    raw.pragma('journal_mode = WAL');
    raw.exec('CREATE TABLE notes (text)');
    const folder = temporaryFolder();
    const path = join(folder, 'crashed.db');
    for (const suffix of ['', '-wal']) copyFileSync(raw.name + suffix, path + suffix);
    raw.close();
    const bytes = readFileSync(path);
    const earlier = Buffer.from(bytes);
    earlier.writeUInt32BE(bytes.readUInt32BE(24) + 9, 24);
    writeFileSync(path, earlier);
    expect(thrownBy(() => assertOwnLog(path))).toMatchObject({ code: 'CORRUPT' });
    let opened = 0;
    // The log is opened again for the second look.
    const write = (call: string): null => {
      if (call === 'open' && ++opened === 2) writeFileSync(path, bytes);
      return null;
    };
    expect(await failing(folder, write, () => assertOwnLog(path))).toBeNull();
    expect(opened).toBe(2);
  });

  it('to a file that has gone meanwhile makes none', () => {
    const path = join(temporaryFolder(), 'gone.db');
    for (const readonly of [false, true])
      expect(thrownBy(() => openConnection({ ...options(path), readonly }))).toMatchObject({
        code: 'CANNOT_OPEN',
      });
    expect(existsSync(path)).toBe(false);
  });

  it('that fails is closed, and so is a database that fails after it', () => {
    const { path } = openDatabase();
    const close = vi.spyOn(Database.prototype, 'close');
    fakeAnswer({ version: '1.0.0' });
    thrownBy(() => openConnection(options(path)));
    expect(close).toHaveBeenCalledTimes(1);
    vi.restoreAllMocks();

    const newer = openMigrated();
    newer.driver.exec(`UPDATE schema_migrations SET checksum = 'x' WHERE version = 1`);
    newer.close();
    const opened = vi.spyOn(Database.prototype, 'close');
    expect(thrownBy(() => initDatabase({ path: newer.path }))).toMatchObject({ code: 'MIGRATION_CHANGED' });
    expect(opened).toHaveBeenCalled();
    expect(opened.mock.contexts.every((connection) => !(connection as Database.Database).open)).toBe(true);
  });
});

describe('the file of a database', () => {
  it.skipIf(process.platform === 'win32')('is no device', () => {
    const path = makeSocket(join(temporaryFolder(), 'socket'));
    for (const readonly of [false, true])
      expect(thrownBy(() => prepareFile(path, readonly))).toMatchObject({
        code: 'CANNOT_OPEN',
        message: expect.stringContaining('not a regular file'),
      });
  });

  it('is one that another process has made meanwhile, but not another thing', async () => {
    // As another process would, right before the file is made here.
    const first = (make: (path: string) => unknown, path: string): ((call: string) => null) => {
      let isMade = false;
      return (call) => {
        if (call !== 'open' || isMade) return null;
        isMade = true;
        make(path);
        return null;
      };
    };
    const [file, folder] = [1, 2].map(() => join(temporaryFolder(), 'pool.db')) as [string, string];
    const asFile = first((path) => openDatabase({ path }), file);
    expect(await failing(dirname(file), asFile, () => prepareFile(file, false))).toBeNull();
    expect(openDatabase({ path: file }).open).toBe(true);
    const asFolder = first((path) => mkdirSync(path), folder);
    expect(await failing(dirname(folder), asFolder, () => prepareFile(folder, false))).toMatchObject({
      code: 'CANNOT_OPEN',
    });
  });

  it.each([
    [1, 'may not be read'],
    [2, 'may not be written'],
    [3, 'or its folder may not be written'],
  ])('is looked at before SQLite is: access number %i', async (nth, message) => {
    const { path } = openDatabase();
    let accesses = 0;
    const deny = (call: string): 'EACCES' | null =>
      call === 'access' && ++accesses === nth ? 'EACCES' : null;
    expect(await failing(dirname(path), deny, () => prepareFile(path, false))).toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining(message),
    });
    accesses = 0;
    const readOnly = await failing(dirname(path), deny, () => prepareFile(path, true));
    expect(readOnly === null).toBe(nth > 1);
  });
});

describe('prepared statements', () => {
  it('are prepared once for each text, and the oldest goes for one too many', () => {
    const connection = new Database(':memory:');
    const cache = new StatementCache(connection, 2);
    const one = cache.prepare('SELECT 1');
    expect(cache.find('SELECT 1')).toBe(one);
    const two = cache.prepare('SELECT 2');
    expect(cache.find('SELECT 1')).toBe(one);
    cache.prepare('SELECT 3');
    expect(cache.find('SELECT 1')).toBeUndefined();
    expect(cache.find('SELECT 2')).toBe(two);
    cache.clear();
    expect(cache.find('SELECT 2')).toBeUndefined();
    connection.close();
  });

  it('of a caller who makes SQL from values do not fill the memory', () => {
    const db = openDatabase({ path: ':memory:' });
    const prepared = vi.spyOn(Database.prototype, 'prepare');
    const read = (n: number): unknown => db.driver.first(`SELECT ${n} AS n`, {}, (row) => row.n);
    for (let n = 0; n < 1001; n++) read(n);
    expect(prepared).toHaveBeenCalledTimes(1001);
    read(1000);
    expect(prepared).toHaveBeenCalledTimes(1001);
    // The first one went for the last one.
    read(0);
    expect(prepared).toHaveBeenCalledTimes(1002);
  });
});

/** SQLite answers with these values when the pragmas are read back. */
function fakeAnswer(answer: Record<string, unknown>): void {
  const prepare = Database.prototype.prepare;
  vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: Database.Database, sql: string) {
    const statement = prepare.call(this, sql);
    if (!sql.startsWith('SELECT sqlite_version()')) return statement;
    const get = statement.get.bind(statement);
    return Object.defineProperty(statement, 'get', { value: () => ({ ...(get({}) as object), ...answer }) });
  });
}
