import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it, vi } from 'vitest';
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
