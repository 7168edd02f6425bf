import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

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
      schemaVersion: 4,
      key: 'fits',
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
