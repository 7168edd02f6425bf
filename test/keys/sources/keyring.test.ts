import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { environmentKey, keyringFile } from 'proxyvault/keys';
import { describe, expect, it, vi } from 'vitest';
import { ownMark } from '../../../src/files/owner.ts';
import { useCheapPassphrases } from '../../support/cheap-passphrases.ts';
import { bytesOf, loginOf, openWithKeyFile, rowsOf } from '../../support/pool.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const PASSPHRASE = 'correct horse battery staple';
const POSIX = process.platform !== 'win32';
const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));

const newKeyFile = (): string => join(temporaryFolder(), 'config', 'key');

const reveal = (db: DatabaseManager, service: EncryptionService, id: string): unknown =>
  new EncryptedCredentialsRepository(db, service).reveal(id);

describe('a keyring protected by a passphrase', () => {
  it('is made, holds no key in clear, and opens again, by the same text in another Unicode form', async () => {
    const keyFile = newKeyFile();
    const db = openMigrated();
    const made = await EncryptionService.open({ keyFile, database: db, passphrase: 'pässword' });
    const { id } = new ProxyRepository(db, made).create({
      host: 'h.example',
      port: 1,
      protocol: 'http',
      credentials: loginOf(0),
    });
    const keyring = JSON.parse(readFileSync(keyFile, 'utf8')) as { protection: object; keys: object[] };
    expect(keyring.protection).toMatchObject({ kind: 'passphrase', kdf: 'scrypt', n: 131_072, r: 8, p: 1 });
    expect(keyring.keys).toHaveLength(1);
    if (POSIX) expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    const passphrase = async (): Promise<string> => 'pässword'.normalize('NFD');
    const again = await EncryptionService.open({ keyFile, database: db, passphrase });
    expect(reveal(db, again, id)).toEqual(loginOf(0));
    expect(again.keyId()).toBe(made.keyId());
    expect(again.status().source).toEqual({ kind: 'key file', location: keyFile, protection: 'passphrase' });
  });
});

describe('a keyring that is protected by a passphrase', () => {
  useCheapPassphrases();

  it('tells a wrong passphrase from a missing one and from damage, and never says it', async () => {
    const keyFile = newKeyFile();
    await EncryptionService.open({ keyFile, passphrase: PASSPHRASE });
    const text = readFileSync(keyFile, 'utf8');
    const wrong = await EncryptionService.open({ keyFile, passphrase: 'canary-wrong' }).catch(
      (error) => error,
    );
    expect(wrong).toMatchObject({ code: 'KEY_MISMATCH', message: expect.stringContaining('passphrase') });
    expect(inspect(wrong, { depth: 9, showHidden: true })).not.toContain('canary');
    await expect(EncryptionService.open({ keyFile, env: {} })).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining('--passphrase-file'),
    });
    await expect(EncryptionService.open({ keyFile, passphrase: '' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    for (const field of ['wrappedKey', 'iv', 'tag', 'keyCheckValue'] as const) {
      const keyring = JSON.parse(text) as { keys: Record<string, string>[] };
      const key = keyring.keys[0] ?? {};
      key[field] = (key[field] ?? '').replace(/^./, (first) => (first === 'a' ? 'b' : 'a'));
      writeFileSync(keyFile, JSON.stringify(keyring));
      await expect(EncryptionService.open({ keyFile, passphrase: PASSPHRASE })).rejects.toMatchObject({
        code: 'KEY_INVALID',
      });
    }
    expect(
      thrownBy(() => new EncryptionService({ keyFile, passphrase: PASSPHRASE }).encrypt('x')),
    ).toMatchObject({
      code: 'KEY_LOCKED',
      message: expect.stringContaining('await EncryptionService.open'),
    });
  });

  it('is there after unlock() for a service that was made by new; else its methods say what is wrong', async () => {
    const keyFile = newKeyFile();
    await EncryptionService.open({ keyFile, passphrase: PASSPHRASE });
    const right = new EncryptionService({ keyFile, passphrase: PASSPHRASE });
    expect(await right.unlock()).toBe(true);
    expect(right.decrypt(right.encrypt('x'))).toBe('x');
    const wrong = new EncryptionService({ keyFile, passphrase: 'another one' });
    expect(await wrong.unlock()).toBe(false);
    expect(thrownBy(() => wrong.encrypt('x'))).toMatchObject({ code: 'KEY_MISMATCH' });
    const absent = new EncryptionService({ keyFile: newKeyFile(), passphrase: PASSPHRASE });
    expect(await absent.unlock()).toBe(false);
    expect(thrownBy(() => absent.encrypt('x'))).toMatchObject({ code: 'KEY_MISSING' });
    expect(existsSync(absent.source().location)).toBe(false);
  });

  it('does not do what a file asks for that is unsafe, or costs too much', async () => {
    const keyFile = newKeyFile();
    await EncryptionService.open({ keyFile, passphrase: PASSPHRASE });
    const keyring = JSON.parse(readFileSync(keyFile, 'utf8')) as { protection: Record<string, unknown> };
    for (const change of [
      { n: 2 ** 21 },
      { n: 2 ** 20, r: 16 },
      { n: 2 ** 14 },
      { n: 100_000 },
      { r: 1 },
      { r: 1024 },
      { p: 64 },
      { salt: '' },
      { salt: 'AAAA' },
      { kdf: 'none' },
      { extra: 1 },
    ]) {
      const protection = { ...keyring.protection, ...change };
      writeFileSync(keyFile, JSON.stringify({ ...keyring, protection }));
      await expect(EncryptionService.open({ keyFile, passphrase: PASSPHRASE })).rejects.toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining(keyFile),
      });
    }
    writeFileSync(keyFile, '{"format":"proxyvault keyring","version":2}');
    await expect(EncryptionService.open({ keyFile })).rejects.toMatchObject({
      message: expect.stringContaining('newer version'),
    });
    for (const text of ['{}', '{"format":"proxyvault keyring","version":2}', '[1]', '{"a":'.repeat(10_000)]) {
      writeFileSync(keyFile, text);
      await expect(EncryptionService.open({ keyFile, passphrase: PASSPHRASE })).rejects.toMatchObject({
        code: 'KEY_INVALID',
      });
    }
  });
});

describe('moving the key', () => {
  useCheapPassphrases();

  it('wraps the keys of the database anew, not the credentials; the old file opens nothing', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    const old = readFileSync(keyFile, 'utf8');
    const credentials = rowsOf(db, 'encrypted_credentials');
    const [before] = rowsOf(db, 'encryption_keys');
    await service.protect(keyringFile(keyFile, { passphrase: PASSPHRASE }));
    expect(rowsOf(db, 'encrypted_credentials')).toEqual(credentials);
    const [after] = rowsOf(db, 'encryption_keys');
    expect(after).toMatchObject({ key_id: before?.key_id, key_check_value: before?.key_check_value });
    expect(after?.kek_id).not.toBe(before?.kek_id);
    expect(reveal(db, service, id)).toEqual(loginOf(0));
    expect(
      reveal(db, await EncryptionService.open({ keyFile, passphrase: PASSPHRASE, database: db }), id),
    ).toEqual(loginOf(0));
    // No copy of the key in clear is left.
    expect(readdirSync(dirname(keyFile))).toEqual(['key']);
    const stolen = newKeyFile();
    mkdirSync(dirname(stolen), { recursive: true });
    writeFileSync(stolen, old, { mode: 0o600 });
    expect(thrownBy(() => reveal(db, new EncryptionService({ keyFile: stolen }), id))).toMatchObject({
      code: 'KEY_MISMATCH',
    });
  });

  it('keeps a backup of what it replaces, where that is as protected', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    await service.protect(keyringFile(keyFile, { passphrase: PASSPHRASE }));
    const first = readFileSync(keyFile, 'utf8');
    await service.protect(keyringFile(keyFile, { passphrase: 'another passphrase' }));
    expect(readFileSync(`${keyFile}.bak`, 'utf8')).toBe(first);
    await service.protect(keyringFile(keyFile));
    expect(reveal(db, new EncryptionService({ keyFile, database: db }), id)).toEqual(loginOf(0));
    const files = readdirSync(dirname(keyFile)).sort();
    expect(files).toEqual(['key', 'key.bak']);
    if (POSIX)
      expect(files.map((file) => statSync(join(dirname(keyFile), file)).mode & 0o777)).toEqual([
        0o600, 0o600,
      ]);
  });

  it('does no harm to another database that has the same key file, nor to what was encrypted without one', async () => {
    const a = openWithKeyFile();
    const b = openWithKeyFile(a.keyFile);
    const direct = new EncryptionService({ keyFile: a.keyFile }).encrypt('direct');
    await a.service.protect(keyringFile(a.keyFile, { passphrase: PASSPHRASE }));
    const open = { keyFile: a.keyFile, passphrase: PASSPHRASE };
    const other = await EncryptionService.open({ ...open, database: b.db });
    expect(reveal(b.db, other, b.id)).toEqual(loginOf(0));
    // Opening put its keys under the new key too.
    expect(rowsOf(b.db, 'encryption_keys')[0]?.kek_id).toBe(rowsOf(a.db, 'encryption_keys')[0]?.kek_id);
    expect((await EncryptionService.open(open)).decrypt(direct)).toBe('direct');
  });

  it('that was cut off between the file and the database is finished by the next opening', async () => {
    const { db, keyFile, id } = openWithKeyFile();
    const plain = readFileSync(keyFile, 'utf8');
    const target = keyringFile(keyFile, { passphrase: PASSPHRASE });
    const key = Buffer.from(plain, 'base64');
    // What `protect` has done when it is killed: a new key first, the old one behind it.
    await target.read();
    const commit = await target.prepare?.(
      [new EncryptionService().generateKey(), key],
      target.revision?.() ?? null,
    );
    commit?.();
    expect(existsSync(`${keyFile}.bak`)).toBe(true);
    const opened = await EncryptionService.open({ keyFile, passphrase: PASSPHRASE, database: db });
    expect(reveal(db, opened, id)).toEqual(loginOf(0));
    expect(rowsOf(db, 'encryption_keys')[0]?.kek_id).toBe(opened.keyId());
    expect(existsSync(`${keyFile}.bak`)).toBe(false);
  });

  it('takes along what the old key encrypted by itself', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    const { id } = new ProxyRepository(db).create({ host: 'h.example', port: 2, protocol: 'http' });
    new EncryptedCredentialsRepository(db).save(id, new EncryptionService({ keyFile }).encrypt('direct'));
    const PROXYVAULT_KEY = new EncryptionService().generateKey().toString('base64');
    await service.protect(environmentKey({ PROXYVAULT_KEY }));
    renameSync(keyFile, `${keyFile}.gone`);
    const moved = await EncryptionService.open({ env: { PROXYVAULT_KEY }, database: db });
    expect(moved.status().source.kind).toBe('environment');
    expect(await moved.verify()).toMatchObject({ ok: true, checked: 2 });
    expect(reveal(db, moved, id)).toEqual({ username: '', password: 'direct' });
  });

  it('by two processes at once loses no key: the second is BUSY, or follows', async () => {
    const a = openWithKeyFile();
    const b = openWithKeyFile(a.keyFile);
    const moves = await Promise.allSettled([
      a.service.protect(keyringFile(a.keyFile, { passphrase: PASSPHRASE })),
      b.service.protect(keyringFile(a.keyFile, { passphrase: PASSPHRASE })),
    ]);
    const refused = moves.flatMap((move) => (move.status === 'rejected' ? [move.reason] : []));
    for (const reason of refused) expect(reason).toMatchObject({ code: 'BUSY' });
    expect(refused).toHaveLength(1);
    for (const { db, id } of [a, b]) {
      const opened = await EncryptionService.open({
        keyFile: a.keyFile,
        passphrase: PASSPHRASE,
        database: db,
      });
      expect(reveal(db, opened, id)).toEqual(loginOf(0));
    }
  });

  it('is found out by a process that had read the old key: what is new opens by the new one', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    const other = new EncryptionService({ keyFile, database: db });
    await other.verify();
    await service.protect(keyringFile(keyFile));
    await service.rotate();
    expect(await other.verify()).toMatchObject({ ok: true, checked: 1 });
    await service.protect(keyringFile(keyFile));
    await other.rotate();
    const fresh = new EncryptionService({ keyFile, database: db });
    expect(await fresh.verify()).toMatchObject({ ok: true, checked: 1 });
    expect(rowsOf(db, 'encryption_keys')[0]?.kek_id).toBe(fresh.keyId());
  });

  it('leaves every identity what it was: an import changes nothing', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: loginOf(0) };
    await service.protect(keyringFile(keyFile));
    await service.rotate();
    const fresh = new EncryptionService({ keyFile, database: db });
    expect(new ProxyRepository(db, fresh).importMany([input])).toEqual({
      added: 0,
      updated: 0,
      unchanged: 1,
    });
  });

  it('removes what a process that was killed left of an old key, and breaks its lock', async () => {
    const { keyFile, service } = openWithKeyFile();
    const left = join(dirname(keyFile), '.key.0123456789ab.tmp');
    const place = ownMark().split('-', 2).join('-');
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const killed = join(dirname(keyFile), `.key.${place}-${pid}-1.0123456789ab.tmp`);
    writeFileSync(killed, '', { mode: 0o600 });
    // As version 0.1.0 and another container leave them: only the age tells.
    const long = new Date(Date.now() - 11 * 60_000);
    for (const file of [left, `${keyFile}.lock`]) {
      writeFileSync(file, '999999999', { mode: 0o600 });
      utimesSync(file, long, long);
    }
    await service.protect(keyringFile(keyFile, { passphrase: PASSPHRASE }));
    expect(readdirSync(dirname(keyFile))).toEqual(['key']);
  });

  it('leaves nothing wrapped by the old key in the file or its log', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    const [{ wrapped_key: wrapped } = {}] = rowsOf(db, 'encryption_keys');
    expect(bytesOf(db).includes(String(wrapped))).toBe(true);
    await service.protect(keyringFile(keyFile, { passphrase: PASSPHRASE }));
    expect(bytesOf(db).includes(String(wrapped))).toBe(false);
  });

  it('changes nothing in the file if the database is held by another', async () => {
    const { db, keyFile } = openWithKeyFile();
    const before = readFileSync(keyFile, 'utf8');
    const impatient = initDatabase({ path: db.path, busyTimeoutMs: 0 });
    const service = new EncryptionService({ keyFile, database: impatient });
    await service.verify();
    db.driver.exec('BEGIN IMMEDIATE');
    await expect(service.protect(keyringFile(keyFile))).rejects.toMatchObject({ code: 'BUSY' });
    db.driver.exec('ROLLBACK');
    impatient.close();
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
  });

  it('continues past a damaged key and a damaged key of fingerprints, which stay as they are', async () => {
    const { db, keyFile, id } = openWithKeyFile();
    db.driver.run(`UPDATE encryption_secrets SET tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`, {});
    const service = new EncryptionService({ keyFile, database: db });
    expect(service.status().advice.join()).toContain('fingerprints is damaged');
    await service.protect(keyringFile(keyFile));
    expect(reveal(db, new EncryptionService({ keyFile, database: db }), id)).toEqual(loginOf(0));
  });

  it('to where it is already, or to what can only be read, makes up no key', async () => {
    const { db, id, service } = openWithKeyFile();
    const key = (): string => new EncryptionService().generateKey().toString('base64');
    const [first, second] = [key(), key()];
    await service.protect(environmentKey({ PROXYVAULT_KEY: first }));
    await service.protect(environmentKey({ PROXYVAULT_KEY: first }));
    const env = { PROXYVAULT_KEY: first };
    expect(reveal(db, new EncryptionService({ env, database: db }), id)).toEqual(loginOf(0));
    await service.protect(environmentKey({ PROXYVAULT_KEY: `${second} ${first}` }));
    expect(reveal(db, new EncryptionService({ env: { PROXYVAULT_KEY: second } }), id)).toEqual(loginOf(0));
    const keyFile = newKeyFile();
    await service.protect(keyringFile(keyFile));
    expect(reveal(db, new EncryptionService({ keyFile, database: db }), id)).toEqual(loginOf(0));
  });

  it('asks for the passphrase once, however much is done', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    await service.protect(keyringFile(keyFile, { passphrase: PASSPHRASE }));
    let asked = 0;
    const passphrase = (): string => {
      asked++;
      return PASSPHRASE;
    };
    const opened = await EncryptionService.open({ keyFile, passphrase, database: db });
    await opened.rotate();
    await opened.verify();
    opened.createRecoveryCode();
    await opened.protect(keyringFile(keyFile));
    expect(asked).toBe(1);
  });

  it('changes nothing if the present key is lost, or the new one is not to be had', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    const state = (): unknown => [
      rowsOf(db, 'encryption_keys'),
      rowsOf(db, 'encryption_config'),
      readFileSync(keyFile, 'utf8'),
    ];
    const before = state();
    await expect(service.protect(environmentKey({}))).rejects.toMatchObject({ code: 'KEY_MISSING' });
    await expect(service.protect(environmentKey({ PROXYVAULT_KEY: 'x' }))).rejects.toMatchObject({
      code: 'KEY_INVALID',
    });
    const stranger = new EncryptionService({ key: new EncryptionService().generateKey(), database: db });
    await expect(stranger.protect(keyringFile(newKeyFile()))).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    expect(thrownBy(() => service.protect({} as never))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(state()).toEqual(before);
    expect(reveal(db, service, id)).toEqual(loginOf(0));
  });
});

describe('the file', () => {
  useCheapPassphrases();

  it.runIf(POSIX)('that is a link says how to mend it', () => {
    const { db, keyFile, id } = openWithKeyFile();
    renameSync(keyFile, `${keyFile}.real`);
    symlinkSync(`${keyFile}.real`, keyFile);
    expect(thrownBy(() => reveal(db, new EncryptionService({ keyFile }), id))).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining(`chmod 600 '${keyFile}'`),
    });
  });

  it.runIf(process.getuid?.() === 0)('that belongs to another user says how to mend it', () => {
    const { db, keyFile, id } = openWithKeyFile();
    chownSync(keyFile, 12_345, 12_345);
    expect(thrownBy(() => reveal(db, new EncryptionService({ keyFile }), id))).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining(`chown 0 '${keyFile}'`),
    });
  });

  it.runIf(POSIX)('beside which a backup is not as it should be is read all the same', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    await service.protect(keyringFile(keyFile, { passphrase: PASSPHRASE }));
    writeFileSync(`${keyFile}.bak`, 'x', { mode: 0o644 });
    const opened = await EncryptionService.open({ keyFile, passphrase: PASSPHRASE, database: db });
    expect(reveal(db, opened, id)).toEqual(loginOf(0));
  });

  it.runIf(POSIX)('has its path quoted in the command that mends it', () => {
    const keyFile = join(temporaryFolder(), `it's; a key`);
    writeFileSync(keyFile, 'x', { mode: 0o644 });
    expect(thrownBy(() => new EncryptionService({ keyFile }).encrypt('x'))).toMatchObject({
      message: expect.stringContaining(`it'\\''s; a key'`),
    });
  });

  it('is written by one process at a time: a living holder of its lock is waited for, a dead one is not', async () => {
    const { keyFile, service } = openWithKeyFile();
    const before = readFileSync(keyFile, 'utf8');
    const long = new Date(Date.now() - 24 * 60 * 60 * 1000);
    const lockOf = (mark: string): void => {
      writeFileSync(`${keyFile}.lock`, `${mark} 0`);
      utimesSync(`${keyFile}.lock`, long, long);
    };
    lockOf(ownMark());
    // Each look at the clock is ten seconds later, so that the wait is over soon.
    let now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 10_000;
      return now;
    });
    const waited = service.protect(keyringFile(keyFile));
    await expect(waited).rejects.toMatchObject({
      code: 'BUSY',
      message: expect.stringMatching(`key\\.lock is held by process ${process.pid}:`),
    });
    clock.mockRestore();
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
    rmSync(`${keyFile}.lock`);
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const place = ownMark().split('-', 2).join('-');
    writeFileSync(`${keyFile}.lock`, `${place}-${pid}-1 0`);
    await service.protect(keyringFile(keyFile));
    expect(readdirSync(dirname(keyFile)).sort()).toEqual(['key', 'key.bak']);
  });

  it('keeps the key of a pool that another process adds while it is written', async () => {
    const { keyFile, service, db, id } = openWithKeyFile();
    const target = keyringFile(keyFile);
    await target.read();
    const key = new EncryptionService().generateKey();
    // What a buggy or outdated caller would write: a text without the key that is there.
    const commit = await target.prepare?.([key], target.revision?.() ?? null);
    const before = readFileSync(keyFile, 'utf8');
    expect(thrownBy(() => commit?.())).toMatchObject({ code: 'BUSY' });
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
    expect(service.keyId()).toBeDefined();
    // A file that was not there when it was read.
    const made = keyringFile(`${keyFile}2`);
    await made.read();
    const late = await made.prepare?.([new EncryptionService().generateKey()], made.revision?.() ?? null);
    const other = openWithKeyFile(`${keyFile}2`);
    expect(thrownBy(() => late?.())).toMatchObject({ code: 'BUSY' });
    expect(reveal(other.db, new EncryptionService({ keyFile: `${keyFile}2` }), other.id)).toEqual(loginOf(0));
    expect(reveal(db, new EncryptionService({ keyFile }), id)).toEqual(loginOf(0));
  });

  it('keeps the keys of all pools that share it while two processes move them again and again', async () => {
    const a = openWithKeyFile();
    const b = openWithKeyFile(a.keyFile);
    const moved = await Promise.all(
      [a, b].map(async ({ db }) => {
        const args = ['--no-warnings', fixture('move-key.mjs'), a.keyFile, db.path, '12'];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
        let output = '';
        child.stdout.on('data', (chunk) => {
          output += chunk;
        });
        await once(child, 'close');
        return output;
      }),
    );
    expect(moved).toEqual(['12 moves\n', '12 moves\n']);
    rmSync(`${a.keyFile}.bak`);
    for (const { db, id } of [a, b])
      expect(reveal(db, new EncryptionService({ keyFile: a.keyFile, database: db }), id)).toEqual(loginOf(0));
    // Every key there ever was is in the file, for older copies of both pools.
    const keys = readFileSync(a.keyFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(new Set(keys).size).toBe(25);
    expect(readdirSync(dirname(a.keyFile))).toEqual(['key']);
  });

  it.runIf(process.platform === 'linux')(
    'that cannot be written because the disk is full says so, and nothing is changed',
    async (context) => {
      const folder = temporaryFolder();
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status !== 0)
        return context.skip('a small file system cannot be mounted here (needs root)');
      try {
        const { db, id, keyFile, service } = openWithKeyFile(join(folder, 'key'));
        const before = readFileSync(keyFile, 'utf8');
        writeFileSync(join(folder, 'fill'), '');
        for (let left = true; left; ) {
          try {
            appendFileSync(join(folder, 'fill'), Buffer.alloc(4096));
          } catch {
            left = false;
          }
        }
        await expect(service.protect(keyringFile(keyFile))).rejects.toMatchObject({
          code: 'DISK_FULL',
          message: expect.stringContaining(keyFile),
        });
        expect(
          thrownBy(() => new EncryptionService({ keyFile: join(folder, 'other') }).encrypt('x')),
        ).toMatchObject({ code: 'DISK_FULL' });
        expect(readdirSync(folder).sort()).toEqual(['fill', 'key']);
        expect(readFileSync(keyFile, 'utf8')).toBe(before);
        expect(reveal(db, new EncryptionService({ keyFile }), id)).toEqual(loginOf(0));
      } finally {
        spawnSync('umount', [folder]);
      }
    },
  );

  it('that would grow too large is not written', async () => {
    const { keyFile, service } = openWithKeyFile();
    const before = readFileSync(keyFile, 'utf8');
    const target = keyringFile(keyFile);
    await target.read();
    const keys = Array.from({ length: 30_000 }, () => new EncryptionService().generateKey());
    const commit = await target.prepare?.(keys, target.revision?.() ?? null);
    expect(thrownBy(() => commit?.())).toMatchObject({ code: 'KEY_INVALID' });
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
    expect(service.keyId()).toBeDefined();
  });

  it('that is far too large is invalid', () => {
    const { db, keyFile, id } = openWithKeyFile();
    writeFileSync(keyFile, ' '.repeat(2 ** 20 + 1));
    expect(thrownBy(() => reveal(db, new EncryptionService({ keyFile }), id))).toMatchObject({
      code: 'KEY_INVALID',
    });
  });

  it('that cannot be made is an error, and no credential is stored', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    const db = openMigrated();
    const service = new EncryptionService({ keyFile: join(folder, 'file', 'key'), database: db });
    const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: loginOf(0) };
    expect(thrownBy(() => new ProxyRepository(db, service).create(input))).toMatchObject({
      code: 'CANNOT_OPEN',
    });
    expect(rowsOf(db, 'encryption_keys')).toEqual([]);
    expect(rowsOf(db, 'proxies')).toEqual([]);
  });
});

describe('the keychain', () => {
  useCheapPassphrases();

  it.runIf(process.platform === 'linux')(
    'that is not there is an error with what to do, and nothing is changed',
    async () => {
      const { db, keyFile, id, service } = openWithKeyFile();
      const before = readFileSync(keyFile, 'utf8');
      const address = process.env.DBUS_SESSION_BUS_ADDRESS;
      process.env.DBUS_SESSION_BUS_ADDRESS = 'unix:path=/nonexistent';
      try {
        await expect(service.protect(keyringFile(keyFile, { protection: 'keychain' }))).rejects.toMatchObject(
          {
            code: 'UNSUPPORTED',
            message: expect.stringContaining('key passphrase'),
          },
        );
        expect(readFileSync(keyFile, 'utf8')).toBe(before);
        expect(reveal(db, service, id)).toEqual(loginOf(0));
        const protection = { kind: 'keychain', service: 'proxyvault', account: 'keyring-0' };
        const key = { keyId: 'a', kekId: 'b', wrappedKey: 'c', iv: 'd', tag: 'e', keyCheckValue: 'f' };
        writeFileSync(
          keyFile,
          JSON.stringify({ format: 'proxyvault keyring', version: 1, protection, keys: [key] }),
        );
        await expect(EncryptionService.open({ keyFile, database: db })).rejects.toMatchObject({
          code: 'KEY_MISSING',
        });
      } finally {
        if (address === undefined) delete process.env.DBUS_SESSION_BUS_ADDRESS;
        else process.env.DBUS_SESSION_BUS_ADDRESS = address;
      }
    },
  );
});
