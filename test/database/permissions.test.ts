import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

it.skipIf(process.getuid?.() !== 0)(
  'a log or journal that another user has put beside a pool is not read (needs root)',
  () => {
    for (const suffix of ['-wal', '-journal', '-shm']) {
      const path = join(temporaryFolder(), 'pool.db');
      openMigrated({ path }).close();
      writeFileSync(`${path}${suffix}`, 'planted');
      chownSync(`${path}${suffix}`, 65_534, 65_534);
      expect(thrownBy(() => openDatabase({ path }))).toMatchObject({
        code: 'CANNOT_OPEN',
        message: expect.stringContaining('belongs to another user'),
      });
      expect(readFileSync(`${path}${suffix}`, 'utf8')).toBe('planted');
    }
  },
);

it('a file that is no database keeps the log beside it', () => {
  const path = join(temporaryFolder(), 'notes.txt');
  writeFileSync(path, 'notes\n');
  writeFileSync(`${path}-wal`, 'precious');
  expect(thrownBy(() => openDatabase({ path }))).toMatchObject({ code: 'NOT_A_DATABASE' });
  expect(readFileSync(`${path}-wal`, 'utf8')).toBe('precious');
});
