import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { EncryptedCredentialsRepository } from 'proxyvault/database/repositories';
import { EncryptionService, type KeyStatus } from 'proxyvault/database/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { openOldBindings } from '../support/old-bindings.ts';

const PASSPHRASE = 'correct horse battery staple';

/** A command line whose pool has so many logins, and its database. */
function openLogins(count = 3): ReturnType<typeof commandLine> & {
  keyFile: string;
  ids: string[];
  pool: DatabaseManager;
} {
  const command = commandLine();
  const list = Array.from({ length: count }, (_, n) => `h.example:${n + 1}:user:canary-${n}\n`).join('');
  expect(command.run(['import', '-'], { input: list }).status).toBe(0);
  const pool = initDatabase({ path: command.db });
  onTestFinished(() => pool.close());
  const ids = command.json<{ items: { id: string }[] }>('list').items.map(({ id }) => id);
  return { ...command, keyFile: join(command.folder, 'key'), ids, pool };
}

const change = (pool: DatabaseManager, sql: string): number => pool.driver.run(sql, {});

describe('key status', () => {
  it('prints where the key is, what each key encrypts, and what should be done', () => {
    const { run, json, keyFile, ids, pool } = openLogins();
    const key = readFileSync(keyFile, 'utf8').trim();
    const direct = new EncryptionService({ key });
    new EncryptedCredentialsRepository(pool).save(ids[0] ?? '', direct.encrypt('x'));
    change(pool, `UPDATE encrypted_credentials SET binding_version = NULL WHERE binding_version = 3`);
    const [dataKey] = json<KeyStatus>('key', 'status').keys;
    const { databaseId } = json<KeyStatus>('key', 'status');
    const { stdout, status } = run(['key', 'status']);
    expect(status).toBe(0);
    for (const line of [
      `Source         key file: ${keyFile}`,
      'Protected by   permissions',
      'Problem        none',
      `Database       ${databaseId}`,
      'Recovery code  none',
      'Unbound rows   1',
      'Old binding    2',
      'Rotation       none under way',
    ])
      expect(stdout.split('\n')).toContain(line);
    expect(stdout).toMatch(new RegExp(`${dataKey?.keyId} +primary +16 +2 +${dataKey?.createdAt}`));
    expect(stdout).toMatch(new RegExp(`${direct.keyId()} +source’s own +.* 1 `));
    expect(stdout).toMatch(/2 credentials are not bound to the address[\s\S]*There is no recovery code/);
    run(['key', 'recovery-code']);
    expect(run(['key', 'status']).stdout).toContain('Recovery code  made');
  });

  it('is 0 if the key was not tried, and says that it is locked', () => {
    const { run, folder } = openLogins(1);
    writeFileSync(join(folder, 'p'), PASSPHRASE);
    expect(run(['key', 'passphrase', '--passphrase-file', 'p']).status).toBe(0);
    const { stdout, status } = run(['key', 'status']);
    expect(status).toBe(0);
    expect(stdout.split('\n')).toContain('Problem        locked, not tried');
    expect(stdout).toMatch(/primary.* locked/);
    const tried = run(['key', 'status', '--passphrase-file', 'p']);
    expect(tried.stdout.split('\n')).toContain('Problem        none');
    expect(tried.stdout.split('\n')).toContain('Protected by   passphrase');
  });
});

describe('key rotate', () => {
  it('says how many, and which keys are retired', () => {
    const { run, json } = openLogins();
    const [before] = json<KeyStatus>('key', 'status').keys;
    const { stdout } = run(['key', 'rotate']);
    const [after] = json<KeyStatus>('key', 'status').keys;
    expect(stdout).toBe(`3 credentials are now under key ${after?.keyId}.\nRetired: ${before?.keyId}.\n`);
  });

  it('lists what does not decrypt, keeps its key, and exits with 1', () => {
    const { run, ids, pool } = openLogins();
    change(pool, `UPDATE encrypted_credentials SET iv = 'AAAAAAAAAAAAAAAA' WHERE proxy_id = '${ids[1]}'`);
    const { status, stdout } = run(['key', 'rotate']);
    expect(status).toBe(1);
    expect(stdout).toContain('2 credentials are now under key');
    expect(stdout).toContain('Retired: no key.');
    expect(stdout).toMatch(new RegExp(`PROXY +CODE +WHAT TO DO[\\s\\S]*${ids[1]} +CREDENTIAL_CORRUPT`));
  });

  it('takes at most 10,000 credentials at once', () => {
    const { run } = openLogins(1);
    expect(run(['key', 'rotate', '--batch', '10000']).status).toBe(0);
    expect(run(['key', 'rotate', '--batch', '10001'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('batchSize'),
    });
  });
});

describe('key verify', () => {
  it('says how many are bound to the id of their proxy alone, until a rotation binds them', () => {
    const { run, db } = commandLine();
    const { db: pool, key } = openOldBindings(db);
    pool.migrations.up();
    const env = { PROXYVAULT_KEY: key.toString('hex') };
    expect(run(['key', 'verify'], { env })).toMatchObject({
      status: 0,
      stdout:
        'All 5 credentials decrypt. 3 of them are not bound to the address of their proxy: run `proxyvault key rotate`.\n',
    });
    expect(run(['key', 'rotate'], { env }).status).toBe(0);
    expect(run(['key', 'verify'], { env }).stdout).toBe('All 5 credentials decrypt.\n');
  });
});

describe('moving the key', () => {
  it('says where it is now, and recommends a recovery code only if none was made', () => {
    const { run, json, keyFile } = openLogins(1);
    const next = 'Next: proxyvault key recovery-code';
    const moved = run(['key', 'file']);
    expect(moved.stdout).toContain(`The key is now key file: ${keyFile}, protected by permissions.`);
    expect(moved.stdout).toContain(next);
    run(['key', 'recovery-code']);
    expect(run(['key', 'file']).stdout).not.toContain(next);
    expect(json('key', 'file')).toEqual({
      source: { kind: 'key file', location: keyFile, protection: 'permissions' },
    });
  });

  it('leaves an interrupted rotation to `key rotate`', async () => {
    const { run, json, keyFile, pool } = openLogins(4);
    const stop = new AbortController();
    const service = new EncryptionService({ keyFile, env: {}, database: pool });
    await service
      .rotate({ batchSize: 1, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => undefined);
    expect(run(['key', 'file']).status).toBe(0);
    expect(json<KeyStatus>('key', 'status').rotation).toMatchObject({ left: 3 });
    expect(run(['key', 'rotate']).stdout).toContain('Continued an interrupted rotation. 3 credentials');
  });

  it('to a passphrase needs the present one from its own file', () => {
    const { run, folder } = openLogins(1);
    writeFileSync(join(folder, 'one'), `${PASSPHRASE} one`);
    writeFileSync(join(folder, 'two'), `${PASSPHRASE} two`);
    expect(run(['key', 'passphrase', '--passphrase-file', 'one']).status).toBe(0);
    // Not the new one, though it is in a file of that name.
    expect(run(['key', 'passphrase', '--passphrase-file', 'two'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('KEY_MISSING'),
    });
    const both = ['--passphrase-file', 'two', '--current-passphrase-file', 'one'];
    expect(run(['key', 'passphrase', ...both]).status).toBe(0);
    expect(run(['key', 'verify', '--passphrase-file', 'two']).status).toBe(0);
  });

  it('into the environment without a recovery code changes nothing', () => {
    const { run, json } = openLogins(1);
    const env = { PROXYVAULT_KEY: randomBytes(32).toString('base64') };
    const before = json<KeyStatus>('key', 'status');
    expect(run(['key', 'environment'], { env })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Nothing was changed'),
    });
    expect(json<KeyStatus>('key', 'status')).toEqual(before);
  });
});

describe('key recovery-code', () => {
  it('in a file is nowhere else, and a person is told what it is for', () => {
    const { run, folder } = openLogins(1);
    const path = join(folder, 'code');
    const written = run(['key', 'recovery-code', '--output', 'code', '--json']);
    expect(written).toEqual({ status: 0, stdout: expect.any(String), stderr: '' });
    expect(JSON.parse(written.stdout)).toEqual({ path });
    const shown = run(['key', 'recovery-code', '--json']);
    expect(JSON.parse(shown.stdout)).toEqual({ code: expect.stringMatching(/^(?:\w{4}-){8}\w{4}$/) });
    rmSync(path);
    const { stderr } = run(['key', 'recovery-code', '--output', 'code']);
    expect(stderr).toContain('Anyone with this code and a copy of the pool can read every credential.');
    expect(stderr).not.toContain(readFileSync(path, 'utf8').trim());
  });
});

describe('key recover', () => {
  it('restores into a key file, whatever key is in the environment, and says what protects it', () => {
    const { run, folder, keyFile } = openLogins(2);
    const code = run(['key', 'recovery-code']).stdout;
    rmSync(keyFile);
    const env = { PROXYVAULT_KEY: randomBytes(32).toString('base64') };
    const recovered = run(['key', 'recover', '--json'], { input: code, env });
    expect(JSON.parse(recovered.stdout)).toEqual({
      source: { kind: 'key file', location: keyFile, protection: 'permissions' },
      checked: 2,
      failures: [],
      advice: [expect.stringContaining('Only the permissions of its file protect the key now.')],
    });
    rmSync(keyFile);
    writeFileSync(join(folder, 'p'), 'short');
    const weak = run(['key', 'recover', '--passphrase-file', 'p'], { input: code });
    expect(weak).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('protected by passphrase. 2 of 2 credentials decrypt.'),
      stderr: expect.stringContaining('weak'),
    });
    expect(weak.stdout).not.toContain('Only the permissions');
  });

  it('counts what decrypts, and takes the code as an argument too', () => {
    const { run, ids, keyFile, pool } = openLogins(3);
    const code = run(['key', 'recovery-code']).stdout.trim();
    change(pool, `UPDATE encrypted_credentials SET iv = 'AAAAAAAAAAAAAAAA' WHERE proxy_id = '${ids[1]}'`);
    rmSync(keyFile);
    expect(run(['key', 'recover', code]).stdout).toContain('2 of 3 credentials decrypt.');
  });

  it('replaces a key file that cannot be opened only with --force', () => {
    const { run, keyFile } = openLogins(1);
    const code = run(['key', 'recovery-code']).stdout;
    writeFileSync(keyFile, 'broken');
    for (const more of [[], ['--json']])
      expect(run(['key', 'recover', ...more], { input: code }).status).toBe(1);
    expect(readFileSync(keyFile, 'utf8')).toBe('broken');
    expect(run(['key', 'recover', '--force'], { input: code }).status).toBe(0);
  });
});
