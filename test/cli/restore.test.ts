import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { openDatabase } from '../support/temporary.ts';

describe('proxyvault backup and restore', () => {
  it('bring a pool back, keep the replaced one, and say whether the key fits', () => {
    const { run, json, folder, db } = commandLine();
    run(['import', '-'], { input: 'gate.example:1080:canary-user:canary-password\n' });
    run(['backup', 'copy.db']);
    expect(run(['restore', 'copy.db'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('--force'),
    });
    expect(json('restore', 'copy.db', '--force')).toEqual({
      path: db,
      replaced: expect.stringMatching(/\.before-restore\.backup$/),
      schemaVersion: json('migrate', 'status').version,
      notes: [],
      key: 'fits',
      keyLocation: join(folder, 'key'),
      advice: null,
      pending: false,
    });
    const key = join(folder, 'key');
    renameSync(key, `${key}.away`);
    expect(run(['restore', 'copy.db', '--force']).stdout).toContain(`Key: not found (${key}).`);
    run(['import', '-', '--db', 'another.db'], { input: 'a.example:1:u:p\n' });
    expect(json('restore', 'copy.db', '--db', 'new.db')).toMatchObject({
      replaced: null,
      key: 'does not fit',
      advice: expect.any(String),
    });
  }, 120_000);

  it('say of the key only what the keys say: also of an older pool, and if the credentials are damaged', async () => {
    const { run, json, db } = commandLine();
    const input = 'gate.example:1080:canary-user:canary-password\n';
    const restored = (...args: string[]): unknown =>
      json('restore', 'copy.db', '--db', 'new.db', '--force', ...args);
    run(['import', '-'], { input });
    run(['import', '-', '--db', 'another.db', '--key-file', 'other-key'], { input });
    const pool = openDatabase({ path: db });
    pool.driver.exec(`UPDATE proxies SET host = 'moved.example'`);
    await pool[Symbol.asyncDispose]();
    run(['backup', 'copy.db']);
    expect(restored()).toMatchObject({ key: 'fits', advice: expect.stringContaining('1 of 1') });
    const { version } = json<{ version: number }>('migrate', 'status');
    run(['migrate', 'down', '--steps', String(version - 4)]);
    run(['backup', 'copy.db', '--force']);
    expect(restored()).toMatchObject({ pending: true, schemaVersion: 4, key: 'fits', advice: null });
    expect(restored('--key-file', 'other-key')).toMatchObject({ key: 'does not fit' });
    expect(restored('--key-file', 'missing')).toMatchObject({ key: 'not found' });
    writeFileSync(join(db, '..', 'passphrase'), 'correct horse battery staple');
    run(['import', '-', '--db', 'sealed.db', '--key-file', 'sealed', '--passphrase-file', 'passphrase'], {
      input,
    });
    expect(restored('--key-file', 'sealed')).toMatchObject({
      key: 'locked',
      advice: expect.stringContaining('--passphrase-file'),
    });
    expect(run(['backup', 'copy2.db', '--db', 'sealed.db', '--key-file', 'sealed']).status).toBe(0);
    expect(json('restore', 'copy2.db', '--db', 'new2.db', '--key-file', 'sealed')).toMatchObject({
      key: 'locked',
    });
    expect(
      json(
        'restore',
        'copy2.db',
        '--db',
        'new3.db',
        '--key-file',
        'sealed',
        '--passphrase-file',
        'passphrase',
      ),
    ).toMatchObject({ key: 'fits' });
  }, 120_000);

  it('never write in the place of the key, of its lock, or of the log', () => {
    const { run, folder } = commandLine();
    run(['import', '-'], { input: 'gate.example:1080:canary-user:canary-password\n' });
    const key = readFileSync(join(folder, 'key'));
    for (const name of ['key', 'key.lock', 'pool.db-wal']) {
      expect(run(['backup', name, '--force']).stderr).toContain('INVALID_INPUT');
      expect(existsSync(join(folder, name))).toBe(name === 'key');
    }
    expect(run(['restore', 'pool.db', '--force', '--db', 'key']).stderr).toContain('INVALID_INPUT');
    expect(readFileSync(join(folder, 'key'))).toEqual(key);
  }, 120_000);
});
