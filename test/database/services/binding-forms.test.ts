import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { openOldBindings } from '../../support/old-bindings.ts';
import { loginOf, openPool } from '../../support/pool.ts';

const run = (db: DatabaseManager, sql: string): number => db.driver.run(sql, {});

describe('a credential whose row does not say its form', () => {
  it('opens in whichever it was stored: a login or a text, bound to an address or to nothing', async () => {
    const { db, encryption, credentials, ids } = openPool(3);
    const [login = '', text = '', unbound = ''] = ids;
    credentials.save(text, encryption.encrypt('a text'));
    await encryption.rotate();
    credentials.save(unbound, encryption.encrypt('unbound'));
    run(db, `UPDATE encrypted_credentials SET binding = NULL, binding_version = NULL`);
    const reader = new EncryptedCredentialsRepository(db, encryption);
    expect(reader.reveal(login)).toEqual(loginOf(0));
    expect(reader.reveal(text)).toEqual({ username: '', password: 'a text' });
    expect(reader.reveal(unbound)).toEqual({ username: '', password: 'unbound' });
    expect(await encryption.verify()).toMatchObject({ ok: true, unbound: 1, oldBinding: 0 });
  });

  it('opens as older versions bound it, to the id of its proxy or to nothing', async () => {
    const { db, key, ids } = openOldBindings();
    db.migrations.up();
    run(db, `UPDATE encrypted_credentials SET binding = NULL, binding_version = NULL`);
    const encryption = new EncryptionService({ key, database: db });
    const credentials = new EncryptedCredentialsRepository(db, encryption);
    expect(ids.map((id) => credentials.reveal(id)?.password)).toEqual(ids.map((id) => `canary-${id}`));
    expect(await encryption.verify()).toMatchObject({ ok: true, unbound: 2, oldBinding: 3 });
  });

  it('opens at the address that it is bound to, though its row says an older form', () => {
    const { db, credentials, ids } = openPool(1);
    run(db, `UPDATE encrypted_credentials SET binding_version = NULL`);
    expect(credentials.reveal(ids[0] ?? '')).toEqual(loginOf(0));
  });
});

describe('a credential that does not open', () => {
  it.each([
    ['protocol', `'https'`],
    ['host', `'other.example'`],
    ['port', '99'],
  ])('because the %s of its proxy was changed says to check the address first', (column, value) => {
    const { db, credentials, ids } = openPool(1);
    run(db, `UPDATE proxies SET ${column} = ${value}`);
    expect(() => credentials.reveal(ids[0] ?? '')).toThrow(/protocol, host or port outside proxyvault/);
  });

  it('says whether its row names its key', () => {
    const { db, encryption, credentials, ids } = openPool(2);
    const [a = '', b = ''] = ids;
    credentials.save(a, encryption.encrypt('x'));
    const { keyId: _, ...unnamed } = encryption.encrypt('y');
    credentials.save(b, unnamed);
    run(db, `UPDATE encrypted_credentials SET iv = 'AAAAAAAAAAAAAAAA'`);
    const errorOf = (id: string): unknown => {
      try {
        return credentials.reveal(id);
      } catch (error) {
        return error;
      }
    };
    expect(errorOf(a)).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      message: expect.stringContaining('another row\u2019s or database\u2019s'),
    });
    expect(errorOf(b)).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      message: expect.stringContaining('does not say which'),
    });
  });
});
