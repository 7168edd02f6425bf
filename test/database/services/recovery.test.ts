import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { environmentKey, keyringFile } from 'proxyvault/keys';
import { describe, expect, it } from 'vitest';
import { createRecoveryCode, recoveryKeyOf } from '../../../src/keys/recovery-code.ts';
import { useCheapPassphrases } from '../../support/cheap-passphrases.ts';
import { bytesOf, loginOf, openWithKeyFile } from '../../support/pool.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const reveal = (db: DatabaseManager, service: EncryptionService, id: string): unknown =>
  new EncryptedCredentialsRepository(db, service).reveal(id);

useCheapPassphrases();

describe('a recovery code', () => {
  it('is nine groups of four, another each time, and is read however it was written down', () => {
    const { code, key } = createRecoveryCode();
    expect(code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(createRecoveryCode().code).not.toBe(code);
    const forms = [
      code.toLowerCase(),
      code.replaceAll('-', ''),
      ` ${code.replaceAll('-', ' ')}\n`,
      code.replaceAll('0', 'O').replaceAll('1', 'l'),
    ];
    for (const form of forms) expect(recoveryKeyOf(form).id).toBe(key.id);
  });

  it('with any character changed, left out or swapped is found out, and never said', () => {
    fc.assert(
      fc.property(fc.nat(35), fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'), (at, character) => {
        const code = createRecoveryCode().code.replaceAll('-', '');
        fc.pre(code[at] !== character);
        for (const wrong of [
          code.slice(0, at) + character + code.slice(at + 1),
          code.slice(0, at) + code.slice(at + 1),
        ]) {
          const error = thrownBy(() => recoveryKeyOf(wrong));
          expect(error).toMatchObject({ code: 'INVALID_INPUT' });
          expect(inspect(error)).not.toContain(wrong);
        }
      }),
    );
    for (const wrong of ['', 'x', 7, null, 'U'.repeat(36)])
      expect(thrownBy(() => recoveryKeyOf(wrong as string))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('restores the key when its file is lost, whatever was done since', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    expect(service.status()).toMatchObject({ recoveryCode: false });
    const code = service.createRecoveryCode();
    expect(service.status()).toMatchObject({ recoveryCode: true });
    expect(bytesOf(db).includes(code.slice(0, 4) + code.slice(5, 9))).toBe(false);
    await service.rotate();
    await service.protect(keyringFile(keyFile, { passphrase: 'forgotten' }));
    await service.rotate();
    rmSync(keyFile);
    await expect(EncryptionService.open({ keyFile, database: db })).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining('key recover'),
    });
    const recovered = await EncryptionService.recover({ database: db, code, keyFile });
    expect(reveal(db, recovered, id)).toEqual(loginOf(0));
    expect(reveal(db, new EncryptionService({ keyFile, database: db }), id)).toEqual(loginOf(0));
    // It stays the code.
    rmSync(keyFile);
    expect(reveal(db, await EncryptionService.recover({ database: db, code, keyFile }), id)).toEqual(
      loginOf(0),
    );
  });

  it('covers a database whose keys another one has left behind, and rows of an older key', async () => {
    const a = openWithKeyFile();
    const b = openMigrated();
    const early = new EncryptionService({ keyFile: a.keyFile, database: b });
    const proxies = new ProxyRepository(b, early);
    const [one, two] = proxies.createMany(
      [1, 2].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })),
    );
    new EncryptedCredentialsRepository(b, early).store(one?.id ?? '', loginOf(1));
    new EncryptedCredentialsRepository(b).save(
      two?.id ?? '',
      new EncryptionService({ keyFile: a.keyFile }).encrypt('direct'),
    );
    await a.service.protect(keyringFile(a.keyFile));
    const code = new EncryptionService({ keyFile: a.keyFile, database: b }).createRecoveryCode();
    const keyFile = join(temporaryFolder(), 'key');
    const recovered = await EncryptionService.recover({ database: b, code, keyFile });
    expect(await recovered.verify()).toMatchObject({ ok: true, checked: 2 });
  });

  it('cannot be put where nothing can be stored, and nothing is pinned then', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    const code = service.createRecoveryCode();
    const keySource = environmentKey({});
    await expect(EncryptionService.recover({ database: db, code, keySource })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(reveal(db, new EncryptionService({ keyFile, database: db }), id)).toEqual(loginOf(0));
  });

  it('replaces a file that cannot be opened only when told to, and keeps it', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    const code = service.createRecoveryCode();
    await service.protect(keyringFile(keyFile, { passphrase: 'forgotten' }));
    const forgotten = readFileSync(keyFile, 'utf8');
    for (const text of [forgotten, 'malformed']) {
      writeFileSync(keyFile, text, { mode: 0o600 });
      await expect(EncryptionService.recover({ database: db, code, keyFile, env: {} })).rejects.toMatchObject(
        {
          code: 'CONFLICT',
          message: expect.stringContaining('--force'),
        },
      );
      expect(readFileSync(keyFile, 'utf8')).toBe(text);
      const recovered = await EncryptionService.recover({ database: db, code, keyFile, replace: true });
      expect(reveal(db, recovered, id)).toEqual(loginOf(0));
      expect(readFileSync(`${keyFile}.bak`, 'utf8')).toBe(text);
    }
  });

  it('replaces two files in turn, and no key that was in either is lost', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    const other = openWithKeyFile();
    const code = service.createRecoveryCode();
    // The key of another pool, under a passphrase that is not at hand at the moment.
    await other.service.protect(keyringFile(other.keyFile, { passphrase: 'not at hand' }));
    writeFileSync(keyFile, readFileSync(other.keyFile), { mode: 0o600 });
    const recovered = await EncryptionService.recover({
      database: db,
      code,
      keyFile,
      replace: true,
      env: {},
    });
    for (let move = 0; move < 2; move++) await recovered.protect(keyringFile(keyFile));
    const kept = readdirSync(dirname(keyFile)).find((name) => name.startsWith('key.bak-'));
    expect(readFileSync(join(dirname(keyFile), kept ?? ''), 'utf8')).toBe(
      readFileSync(other.keyFile, 'utf8'),
    );
    const restored = await EncryptionService.open({
      keyFile: join(dirname(keyFile), kept ?? ''),
      passphrase: 'not at hand',
      database: other.db,
    });
    expect(reveal(other.db, restored, other.id)).toEqual(loginOf(0));
  });

  it('leaves the keys of other databases where they are', async () => {
    const a = openWithKeyFile();
    const b = openWithKeyFile();
    const code = a.service.createRecoveryCode();
    const recovered = await EncryptionService.recover({ database: a.db, code, keyFile: b.keyFile });
    expect(reveal(a.db, recovered, a.id)).toEqual(loginOf(0));
    expect(reveal(b.db, new EncryptionService({ keyFile: b.keyFile, database: b.db }), b.id)).toEqual(
      loginOf(0),
    );
  });

  it('of another database, a later one, or none is told apart, and no file is made', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    const target = join(temporaryFolder(), 'key');
    const recover = (code: string): Promise<unknown> =>
      EncryptionService.recover({ database: db, code, keyFile: target });
    await expect(recover(createRecoveryCode().code)).rejects.toMatchObject({ code: 'KEY_MISSING' });
    const first = service.createRecoveryCode();
    const second = service.createRecoveryCode();
    await expect(recover(first)).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    await expect(recover(openWithKeyFile().service.createRecoveryCode())).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
    await expect(recover('nonsense')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(existsSync(target)).toBe(false);
    await recover(second);
    expect(readFileSync(target, 'utf8')).toBe(readFileSync(keyFile, 'utf8'));
  });

  it('of any database is of no use once the id of the database is lost, and that is what the error says', async () => {
    const { db, service } = openWithKeyFile();
    const codes = [service.createRecoveryCode(), createRecoveryCode().code];
    db.driver.run('DELETE FROM encryption_config', {});
    const keyFile = join(temporaryFolder(), 'key');
    for (const code of codes)
      await expect(EncryptionService.recover({ database: db, code, keyFile })).rejects.toMatchObject({
        code: 'INVALID_ROW',
        details: { table: 'encryption_config', column: 'database_id' },
      });
    expect(existsSync(keyFile)).toBe(false);
  });

  it('serves a copy of the database on another machine', async () => {
    const { db, id, service } = openWithKeyFile();
    const code = service.createRecoveryCode();
    const copy = join(temporaryFolder(), 'copy.db');
    await db.backup(copy);
    const there = openDatabase({ path: copy });
    const keyFile = join(temporaryFolder(), 'new-home', 'key');
    expect(reveal(there, await EncryptionService.recover({ database: there, code, keyFile }), id)).toEqual(
      loginOf(0),
    );
  });

  it('needs a key to be made from', () => {
    const { db } = openWithKeyFile();
    const stranger = new EncryptionService({ key: randomBytes(32), database: db });
    expect(thrownBy(() => stranger.createRecoveryCode())).toMatchObject({ code: 'KEY_MISMATCH' });
  });
});
