import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { importProxies } from 'proxyvault';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it, vi } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { rowsOf } from '../support/pool.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

const isWindows = process.platform === 'win32';

/** A closed pool in a folder of its own. */
function pool({ credentials }: { credentials: boolean }, name = 'data'): string {
  const path = join(temporaryFolder(), name, 'pool.db');
  const db = initDatabase({ path });
  db.migrations.up();
  new ProxyRepository(db, new EncryptionService({ key: randomBytes(32), database: db })).create({
    host: 'h.example',
    port: 1,
    protocol: 'http',
    credentials: credentials ? { username: 'u', password: 'p' } : null,
  });
  db.close();
  return path;
}

function warningsOf(work: () => unknown): unknown[] {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  try {
    work();
    return warned.mock.calls.map(([message, options]) => [message, options]);
  } finally {
    warned.mockRestore();
  }
}

describe.skipIf(isWindows)('a pool that every user may write (POSIX permissions)', () => {
  it('is refused if it holds credentials, and the command in the message fixes it', () => {
    const path = pool({ credentials: true }, "it's data; $(x)");
    chmodSync(path, 0o666);
    const error = thrownBy(() => initDatabase({ path }));
    expect(error).toMatchObject({ code: 'CANNOT_OPEN', details: { path } });
    const [, command = ''] = /`(chmod .*)`,/.exec(String(error)) ?? [];
    expect(spawnSync('sh', ['-c', command]).status).toBe(0);
    expect(warningsOf(() => openDatabase({ path }))).toEqual([]);
  });

  it('is only warned about without credentials, or if that is allowed', () => {
    for (const [path, allowOthersToWrite] of [
      [pool({ credentials: false }), false],
      [pool({ credentials: true }), true],
    ] as const) {
      chmodSync(path, 0o666);
      const warnings = warningsOf(() => openDatabase({ path, allowOthersToWrite }));
      expect(warnings).toEqual([
        [expect.stringContaining(path), expect.objectContaining({ code: 'PROXYVAULT_OTHERS_MAY_WRITE' })],
      ]);
    }
  });

  it('is one in a folder that they may write and that is not sticky, also by a link', () => {
    const path = pool({ credentials: true });
    const folder = join(path, '..');
    chmodSync(folder, 0o777);
    expect(thrownBy(() => initDatabase({ path }))).toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining(`chmod o-w '${folder}'`),
    });
    chmodSync(folder, 0o1777);
    expect(warningsOf(() => openDatabase({ path }))).toEqual([]);
    const links = join(temporaryFolder(), 'links');
    mkdirSync(links);
    symlinkSync(folder, join(links, 'data'));
    const linked = join(links, 'data', 'pool.db');
    expect(warningsOf(() => openDatabase({ path: linked }))).toEqual([]);
    chmodSync(links, 0o777);
    expect(thrownBy(() => initDatabase({ path: linked }))).toMatchObject({ details: { path: links } });
  });

  it('is one whose log they may write', () => {
    const path = pool({ credentials: true });
    const db = openDatabase({ path });
    db.transaction(() => new ProxyRepository(db).create({ host: 'h', port: 2, protocol: 'http' }));
    chmodSync(`${path}-wal`, 0o666);
    expect(thrownBy(() => initDatabase({ path }))).toMatchObject({ details: { path: `${path}-wal` } });
  });

  it('is not one that a group may write, or that others may read', () => {
    const path = pool({ credentials: true });
    for (const mode of [0o660, 0o644]) {
      chmodSync(path, mode);
      expect(warningsOf(() => openDatabase({ path }))).toEqual([]);
    }
  });
});

describe.skipIf(isWindows)(
  'the first credential of a pool that every user may write (POSIX permissions)',
  () => {
    const login = { username: 'canary-user', password: 'canary-pass' };
    const listOf = (count: number): string =>
      Array.from({ length: count }, (_, n) => `h${n}.example:80:u:p\n`).join('');
    const refused = { code: 'CANNOT_OPEN', message: expect.stringMatching(/`chmod .*allowOthersToWrite/) };
    const rows = (db: DatabaseManager): number[] =>
      ['encryption_keys', 'encryption_secrets', 'encrypted_credentials'].map(
        (table) => rowsOf(db, table).length,
      );

    it.each<[string, (db: DatabaseManager, encryption: EncryptionService, id: string) => unknown]>([
      [
        'create',
        (db, encryption) =>
          new ProxyRepository(db, encryption).create({
            host: 'n',
            port: 1,
            protocol: 'http',
            credentials: login,
          }),
      ],
      [
        'importMany',
        (db, encryption) =>
          new ProxyRepository(db, encryption).importMany([
            { host: 'n', port: 1, protocol: 'http' },
            { host: 'n', port: 2, protocol: 'http', credentials: { username: '', password: 'p' } },
          ]),
      ],
      ['store', (db, encryption, id) => new EncryptedCredentialsRepository(db, encryption).store(id, login)],
      ['encrypt', (_, encryption) => encryption.encrypt('p')],
      [
        'save',
        (db, _, id) =>
          new EncryptedCredentialsRepository(db).save(
            id,
            new EncryptionService({ key: randomBytes(32) }).encrypt('p'),
          ),
      ],
      ['an import', (db, encryption) => importProxies(db, `a.example:1\n${listOf(10)}`, { encryption })],
      [
        'an import in batches, of which the last has a login',
        (db, encryption) =>
          importProxies(db, `a.example:1\na.example:2\na.example:3\n${listOf(1)}`, { encryption, batch: 2 }),
      ],
      [
        'an import in a long transaction',
        (db, encryption) => importProxies(db, `a.example:1\n${listOf(1500)}`, { encryption }),
      ],
      [
        'a long transaction',
        (db, encryption, id) =>
          db.longTransaction(function* (session) {
            yield new EncryptedCredentialsRepository(session, encryption).store(id, login);
          }),
      ],
      [
        'open',
        (db, encryption) => EncryptionService.open({ keyFile: encryption.source().location, database: db }),
      ],
    ])('is rejected before a key is made, and nothing is stored: %s', async (_, work) => {
      const path = pool({ credentials: false });
      const keyFile = join(temporaryFolder(), 'key');
      chmodSync(path, 0o666);
      const db = openDatabase({ path });
      const encryption = new EncryptionService({ keyFile, database: db });
      const [proxy] = new ProxyRepository(db).findAll();
      const ended = (async () => work(db, encryption, proxy?.id ?? ''))();
      await expect(ended).rejects.toMatchObject(refused);
      expect(existsSync(keyFile)).toBe(false);
      expect(new ProxyRepository(db).findAll()).toEqual([proxy]);
      expect(rows(db)).toEqual([0, 0, 0]);
      db.close();
      // Still without credentials, so that it is warned about and opens.
      expect(warningsOf(() => openDatabase({ path }))).toHaveLength(1);
    });

    it('is also rejected if there is a key, and stored as soon as the command of the message was run', () => {
      const path = pool({ credentials: true });
      const first = openDatabase({ path });
      first.driver.run('DELETE FROM encrypted_credentials', {});
      first.close();
      chmodSync(path, 0o666);
      const db = openDatabase({ path });
      const encryption = new EncryptionService({ key: randomBytes(32), database: db });
      const credentials = new EncryptedCredentialsRepository(db, encryption);
      const [proxy] = new ProxyRepository(db).findAll();
      const id = proxy?.id ?? '';
      const error = thrownBy(() => credentials.store(id, login));
      expect(error).toMatchObject(refused);
      // One command, although the log is as open as the pool was.
      const [, command = ''] = /`(chmod .*)`,/.exec(String(error)) ?? [];
      expect(spawnSync('sh', ['-c', command]).status).toBe(0);
      credentials.store(id, login);
      expect(credentials.reveal(id)).toEqual(login);
      db.close();
      expect(warningsOf(() => openDatabase({ path }))).toEqual([]);
    });

    it('is stored if that is allowed', () => {
      const path = pool({ credentials: false });
      chmodSync(dirname(path), 0o777);
      const db = openDatabase({ path, allowOthersToWrite: true });
      const encryption = new EncryptionService({ key: randomBytes(32), database: db });
      const [proxy] = new ProxyRepository(db).findAll();
      new EncryptedCredentialsRepository(db, encryption).store(proxy?.id ?? '', login);
      expect(rowsOf(db, 'encrypted_credentials')).toHaveLength(1);
    });

    it('is rejected by the command line, which stores nothing of the list', () => {
      const { run, folder, db, json } = commandLine();
      writeFileSync(join(folder, 'list.txt'), 'a.example:1\nb.example:2:user:canary\n');
      run(['init']);
      chmodSync(db, 0o666);
      for (const args of [
        ['import', 'list.txt'],
        ['add', 'http://user:canary@b.example:2'],
      ])
        expect(run(args)).toMatchObject({ status: 1, stderr: expect.stringContaining(`chmod 600 '${db}'`) });
      expect(existsSync(join(folder, 'key'))).toBe(false);
      expect(json('stats')).toMatchObject({ database: { rows: { proxies: 0 } } });
      const env = { PROXYVAULT_ALLOW_OTHERS_TO_WRITE: '1' };
      expect(run(['import', 'list.txt'], { env }).status).toBe(0);
      expect(run(['list']).stderr).toContain(`chmod 600 '${db}'`);
    });
  },
);

describe('what lies beside a pool', () => {
  /** The pool's own path, and a symbolic link to it in another folder: SQLite looks beside the pool for both. */
  function paths(name = 'pool.db'): [real: string, link: string] {
    const [real, link] = [join(temporaryFolder(), name), join(temporaryFolder(), 'link.db')];
    symlinkSync(real, link);
    return [real, link];
  }

  it.skipIf(process.getuid?.() !== 0).each(['-wal', '-journal', '-shm'])(
    'is not read if another user has put it there: %s (needs root)',
    (suffix) => {
      const [real, link] = paths();
      openMigrated({ path: real }).close();
      writeFileSync(`${real}${suffix}`, 'planted');
      chownSync(`${real}${suffix}`, 65_534, 65_534);
      for (const path of [real, link]) {
        expect(thrownBy(() => openDatabase({ path }))).toMatchObject({
          code: 'CANNOT_OPEN',
          message: expect.stringContaining('belongs to another user'),
        });
      }
      expect(readFileSync(`${real}${suffix}`, 'utf8')).toBe('planted');
    },
  );

  it.skipIf(isWindows)('is not read if every user may write it, and the pool not', () => {
    const [real] = paths();
    openMigrated({ path: real }).close();
    writeFileSync(`${real}-journal`, 'planted');
    chmodSync(`${real}-journal`, 0o666);
    expect(thrownBy(() => openDatabase({ path: real }))).toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining('every user'),
    });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'may be another member\u2019s if a group shares the pool (needs root)',
    () => {
      const [real] = paths();
      openMigrated({ path: real }).close();
      chmodSync(real, 0o660);
      chmodSync(dirname(real), 0o770);
      for (const suffix of ['-wal', '-shm']) {
        writeFileSync(`${real}${suffix}`, '', { mode: 0o660 });
        chownSync(`${real}${suffix}`, 65_534, 0);
      }
      const db = openDatabase({ path: real });
      expect(db.migrations.getPending()).toEqual([]);
    },
  );

  it('stays if the file is no database, also through a link', () => {
    const [real, link] = paths('notes.txt');
    writeFileSync(real, 'notes\n');
    writeFileSync(`${real}-wal`, 'precious');
    for (const path of isWindows ? [real] : [real, link])
      expect(thrownBy(() => openDatabase({ path }))).toMatchObject({ code: 'NOT_A_DATABASE' });
    expect(readFileSync(`${real}-wal`, 'utf8')).toBe('precious');
  });
});
