import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { openOldBindings } from '../../support/old-bindings.ts';
import { rowsOf } from '../../support/pool.ts';
import { thrownBy } from '../../support/temporary.ts';

const REVEALED = {
  login: { username: 'canary-user', password: 'canary-login' },
  first: { username: 'canary-user', password: 'canary-first' },
  text: { username: '', password: 'canary-text' },
  unbound: { username: '', password: 'canary-unbound' },
  direct: { username: '', password: 'canary-direct' },
};

function open(): ReturnType<typeof openOldBindings> & {
  encryption: EncryptionService;
  credentials: EncryptedCredentialsRepository;
} {
  const pool = openOldBindings();
  pool.db.migrations.up();
  const encryption = new EncryptionService({ key: pool.key, database: pool.db });
  return { ...pool, encryption, credentials: new EncryptedCredentialsRepository(pool.db, encryption) };
}

describe('credentials that an older version stored', () => {
  it('are read, counted, and bound to their address by a rotation', async () => {
    const { db, encryption, credentials, ids } = open();
    for (const id of ids)
      expect({ [id]: credentials.reveal(id) }).toMatchObject({ [id]: REVEALED[id as 'text'] });
    expect(encryption.decrypt(credentials.findByProxyId('text'))).toBe('canary-text');
    expect(encryption.status()).toMatchObject({ oldBinding: 2, unbound: 3 });
    expect(encryption.status().advice.join()).toMatch(
      /2 credentials are not bound to the address.*key rotate/,
    );
    // What is really bound to an id is told by opening it; its row did not say.
    expect(await encryption.verify()).toMatchObject({
      ok: true,
      checked: 5,
      oldBinding: 3,
      unbound: 2,
      failures: [],
    });
    expect(await encryption.rotate()).toMatchObject({ rotated: 5, bound: 5, failures: [] });
    for (const id of ids)
      expect({ [id]: credentials.reveal(id) }).toMatchObject({ [id]: REVEALED[id as 'text'] });
    expect(encryption.status()).toMatchObject({ oldBinding: 0, unbound: 0 });
    expect(encryption.status().advice.join()).not.toContain('address');
    expect(await encryption.verify()).toMatchObject({ ok: true, oldBinding: 0, unbound: 0 });
    const versions = rowsOf(db, 'encrypted_credentials').map((row) => row.binding_version);
    expect(versions).toEqual([3, 3, 3, 3, 3]);
    db.driver.run(`UPDATE proxies SET host = 'evil.example'`, {});
    for (const id of ids)
      expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
  });

  it('do not open as new ones, whatever their row says', () => {
    const { db, credentials, ids } = open();
    db.driver.run(
      `UPDATE encrypted_credentials SET binding_version = 3 WHERE binding IN ('login', 'text')`,
      {},
    );
    for (const id of ['login', 'text'])
      expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    expect(ids).toHaveLength(5);
  });

  it('are bound when they are stored again, or their proxy is moved through the repository', () => {
    const { db, encryption, credentials } = open();
    credentials.store('unbound', REVEALED.login);
    new ProxyRepository(db, encryption).update('login', { port: 9000 });
    new ProxyRepository(db, encryption).update('first', { port: 9001 });
    const bound = rowsOf(db, 'encrypted_credentials').filter(({ binding_version }) => binding_version === 3);
    expect(bound.map(({ proxy_id }) => proxy_id)).toEqual(['first', 'login', 'unbound']);
    expect(credentials.reveal('login')).toEqual(REVEALED.login);
    expect(credentials.reveal('first')).toEqual(REVEALED.first);
  });

  it('put back after a rotation do not open: their key is gone', async () => {
    const { db, key, encryption, credentials } = open();
    const [old] = rowsOf(db, 'encrypted_credentials').filter(({ proxy_id }) => proxy_id === 'login');
    await encryption.rotate();
    db.driver.run(
      `UPDATE encrypted_credentials SET encrypted_data = :data, iv = :iv, auth_tag = :tag, key_id = :key,
         binding = 'login', binding_version = NULL WHERE proxy_id = 'login'`,
      {
        data: String(old?.encrypted_data),
        iv: String(old?.iv),
        tag: String(old?.auth_tag),
        key: String(old?.key_id),
      },
    );
    expect(thrownBy(() => credentials.reveal('login'))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    const fresh = new EncryptionService({ key, database: db });
    expect(thrownBy(() => new EncryptedCredentialsRepository(db, fresh).reveal('login'))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
    });
  });

  it('ask for the migration first', () => {
    const { db, key } = openOldBindings();
    const encryption = new EncryptionService({ key, database: db });
    const credentials = new EncryptedCredentialsRepository(db, encryption);
    for (const work of [() => credentials.reveal('login'), () => encryption.encrypt('x')])
      expect(thrownBy(work)).toMatchObject({
        code: 'MIGRATION_PENDING',
        message: expect.stringContaining('migrations.up()'),
      });
  });

  it('are read as before after the migration was undone and done again, new ones too', async () => {
    const { db, encryption, credentials, ids } = open();
    await encryption.rotate();
    db.migrations.to(4);
    db.migrations.up();
    expect(encryption.status()).toMatchObject({ oldBinding: 5 });
    for (const id of ids)
      expect({ [id]: credentials.reveal(id) }).toMatchObject({ [id]: REVEALED[id as 'text'] });
    expect(encryption.decrypt(credentials.findByProxyId('text'))).toBe('canary-text');
    expect(await encryption.verify()).toMatchObject({ ok: true, oldBinding: 0 });
  });
});
