import { randomBytes } from 'node:crypto';
import { exportProxies, importProxies, type ProxyConfig } from 'proxyvault';
import type { DatabaseManager } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Params } from 'proxyvault/driver';
import { describe, expect, it } from 'vitest';
import { loginOf, openPool, type Pool, rowsOf } from '../support/pool.ts';
import { thrownBy } from '../support/temporary.ts';

const CORRUPT = { code: 'CREDENTIAL_CORRUPT', message: expect.stringContaining('address') };

/** Plain SQL, as someone runs it who can write the file and has no key. */
const attack = (db: DatabaseManager, sql: string, params: Params = {}): number => db.driver.run(sql, params);

const TABLES = ['encrypted_credentials', 'encryption_keys', 'encryption_secrets', 'encryption_config'];

const BECOMES_EVIL = `UPDATE proxies SET host = 'evil.example', protocol = 'http', port = 8081 WHERE id = :id`;

describe('a proxy whose address was changed by SQL', () => {
  it.each([
    ['host', `host = 'evil.example'`],
    ['protocol', `protocol = 'https'`],
    ['port', 'port = 8081'],
    ['all three', `host = 'evil.example', protocol = 'socks5', port = 1080`],
    ['the case of the host', `host = 'H.EXAMPLE'`],
    ['a zero byte after the host', `host = 'h.example' || char(0) || '.evil.example'`],
  ])('does not get its login: %s', async (_, assignment) => {
    const { db, encryption, credentials, ids } = openPool(2);
    const [id = '', other = ''] = ids;
    attack(db, `UPDATE proxies SET ${assignment} WHERE id = :id`, { id });
    expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ ...CORRUPT, details: { proxyId: id } });
    expect(thrownBy(() => encryption.decrypt(credentials.findByProxyId(id)))).toMatchObject(CORRUPT);
    // An export leaves the proxy out, and takes the others with it.
    const exported = [...exportProxies(db, { encryption, reveal: true })].join('');
    expect(exported).not.toContain(loginOf(0).password);
    expect(exported).toContain(loginOf(1).password);
    expect(await encryption.verify()).toMatchObject({
      ok: false,
      checked: 2,
      failures: [{ proxyId: id, code: 'CREDENTIAL_CORRUPT' }],
    });
    expect(await db.check({ deep: true, encryption })).toMatchObject({
      ok: false,
      credentials: { verified: true, failures: [{ proxyId: id, code: 'CREDENTIAL_CORRUPT' }] },
    });
    expect(credentials.reveal(other)).toEqual(loginOf(1));
    // Nothing was lost: with the address that it had, it opens again.
    attack(db, `UPDATE proxies SET host = 'h.example', protocol = 'http', port = 1 WHERE id = :id`, { id });
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });

  it('does not get it by way of a proxy that was read before or after', () => {
    const { db, encryption, credentials } = openPool(1);
    const proxies = new ProxyRepository(db);
    const [id = ''] = proxies.findAll().map((proxy) => proxy.id);
    const honest = proxies.findById(id) as ProxyConfig;
    attack(db, BECOMES_EVIL, { id: honest.id });
    const evil = proxies.findById(id) as ProxyConfig;
    attack(db, `UPDATE proxies SET host = :host, port = :port WHERE id = :id`, {
      id: honest.id,
      host: honest.host,
      port: honest.port,
    });
    // The row is right again, and the caller still has the wrong address.
    expect(thrownBy(() => credentials.reveal(evil))).toMatchObject({ code: 'CONFLICT' });
    expect(credentials.reveal(honest)).toEqual(loginOf(0));
    expect(thrownBy(() => credentials.store(evil, loginOf(7)))).toMatchObject({ code: 'NOT_FOUND' });
    expect(credentials.reveal(honest)).toEqual(loginOf(0));
    expect(new ProxyRepository(db, encryption).findById(honest.id)).toMatchObject({ host: 'h.example' });
  });
});

describe('credentials that were moved by SQL', () => {
  const copy = (columns: string): string =>
    `UPDATE encrypted_credentials SET (${columns}) =
       (SELECT ${columns} FROM encrypted_credentials AS other WHERE other.proxy_id = :from) WHERE proxy_id = :to`;
  const DATA = 'encrypted_data, iv, auth_tag, key_id, binding, binding_version';

  it.each<[string, (pool: Pool, a: string, b: string) => void]>([
    ['copied to another proxy', ({ db }, a, b) => attack(db, copy(DATA), { from: a, to: b })],
    [
      'copied to a proxy that was moved to the same address',
      ({ db }, a, b) => {
        attack(db, copy(DATA), { from: a, to: b });
        attack(db, `UPDATE proxies SET username_fingerprint = NULL`);
        attack(
          db,
          `UPDATE proxies SET (host, port, protocol) = (SELECT host, port, protocol FROM proxies WHERE id = :a) WHERE id = :b`,
          { a, b },
        );
      },
    ],
    [
      'between two proxies that swapped hosts and ports',
      ({ db }, a, b) => {
        attack(
          db,
          `UPDATE proxies SET port = 3 - port, host = 'x' || port || '.example' WHERE id IN (:a, :b)`,
          {
            a,
            b,
          },
        );
      },
    ],
    [
      'to another id, with their proxy',
      ({ db }, _, b) => {
        db.driver.exec('PRAGMA foreign_keys = OFF');
        attack(db, `UPDATE encrypted_credentials SET proxy_id = 'new' WHERE proxy_id = :b`, { b });
        attack(db, `UPDATE proxies SET id = 'new' WHERE id = :b`, { b });
      },
    ],
    [
      'away from their proxy',
      ({ db }, _, b) => {
        db.driver.exec('PRAGMA foreign_keys = OFF');
        attack(db, `DELETE FROM proxies WHERE id = :b`, { b });
      },
    ],
  ])('open nowhere: %s', async (_, move) => {
    const pool = openPool(2);
    const [a = '', b = ''] = pool.ids;
    move(pool, a, b);
    const { db, encryption, credentials } = pool;
    const moved = rowsOf(db, 'encrypted_credentials').map(({ proxy_id }) => String(proxy_id));
    const failures = (await encryption.verify()).failures.map(({ proxyId }) => proxyId);
    expect(failures.length).toBeGreaterThan(0);
    for (const id of failures) {
      expect(moved).toContain(id);
      expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    }
    expect(await db.check({ deep: true, encryption })).toMatchObject({ ok: false });
  });

  it('are not read in an older or weaker form, whatever their row says', async () => {
    const { db, encryption, credentials, ids } = openPool(1);
    const [id = ''] = ids;
    attack(db, BECOMES_EVIL, { id });
    for (const binding of [`'login'`, `'text'`, `'unbound'`, 'NULL']) {
      for (const version of ['NULL', '0', '1', '2', '3', '4', `'3'`, `'x'`, `x'33'`]) {
        attack(db, `UPDATE encrypted_credentials SET binding = ${binding}, binding_version = ${version}`);
        for (const read of [
          () => credentials.reveal(id),
          () => encryption.decrypt(credentials.findByProxyId(id)),
        ])
          expect(thrownBy(read)).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
        expect((await encryption.verify()).failures).toHaveLength(1);
      }
    }
    // A rotation leaves it as it is, and binds it to no address.
    expect((await encryption.rotate()).failures).toMatchObject([{ proxyId: id }]);
    attack(db, `UPDATE proxies SET host = 'h.example', port = 1 WHERE id = :id`, { id });
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });
});

describe('changing the address of a proxy', () => {
  const MOVES = [
    { host: 'new.example' },
    { port: 9000 },
    { protocol: 'socks5' },
    { host: '2001:db8::1', port: 1080, protocol: 'socks4' },
  ] as const;

  it.each(MOVES)('encrypts its login again for the new one, and for that only: %o', async (changes) => {
    const { db, encryption, credentials, ids } = openPool(2);
    const [id = ''] = ids;
    const [before] = rowsOf(db, 'encrypted_credentials').filter(({ proxy_id }) => proxy_id === id);
    expect(new ProxyRepository(db, encryption).update(id, changes)).toMatchObject(changes);
    expect(credentials.reveal(id)).toEqual(loginOf(0));
    expect(await encryption.verify()).toMatchObject({ ok: true, checked: 2, oldBinding: 0 });
    const [after] = rowsOf(db, 'encrypted_credentials').filter(({ proxy_id }) => proxy_id === id);
    expect(after).toMatchObject({ created_at: before?.created_at, binding: 'login', binding_version: 3 });
    expect(after?.iv).not.toBe(before?.iv);
    // The old ciphertext is of no use at the new address.
    attack(
      db,
      `UPDATE encrypted_credentials SET encrypted_data = :data, iv = :iv, auth_tag = :tag WHERE proxy_id = :id`,
      {
        id,
        data: String(before?.encrypted_data),
        iv: String(before?.iv),
        tag: String(before?.auth_tag),
      },
    );
    expect(thrownBy(() => credentials.reveal(id))).toMatchObject(CORRUPT);
  });

  it('needs the key, and without it, or with another, changes nothing', () => {
    const { db, ids } = openPool(1);
    const [id = ''] = ids;
    const state = (): unknown => [rowsOf(db, 'proxies'), rowsOf(db, 'encrypted_credentials')];
    const before = state();
    const stranger = new EncryptionService({ key: randomBytes(32), database: db });
    for (const changes of MOVES) {
      expect(thrownBy(() => new ProxyRepository(db).update(id, changes))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/protocol, host or port .*EncryptionService/),
      });
      expect(thrownBy(() => new ProxyRepository(db, stranger).update(id, changes))).toMatchObject({
        code: 'KEY_MISMATCH',
      });
    }
    expect(state()).toEqual(before);
  });

  it('needs no key if there is no login, if it is the same address, or for any other field', () => {
    const { db, credentials, ids } = openPool(2);
    const [id = '', bare = ''] = ids;
    credentials.delete(bare);
    const proxies = new ProxyRepository(db);
    const proxy = proxies.findById(id);
    if (!proxy) throw new Error('no proxy');
    expect(proxies.update(id, { ...proxy, name: 'another' })).toMatchObject({ name: 'another' });
    expect(proxies.update(id, { host: 'H.Example.', port: 1, protocol: 'http' })).toMatchObject({
      host: 'h.example',
    });
    expect(proxies.update(id, { status: 'disabled', region: 'r' })).toMatchObject({ region: 'r' });
    expect(proxies.update(bare, { host: 'new.example' })).toMatchObject({ host: 'new.example' });
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });

  it('leaves what plain encrypt gave as it is, since it is bound to nothing; only the key can tell', async () => {
    const { db, encryption, credentials, ids } = openPool(1);
    const [id = ''] = ids;
    credentials.save(id, encryption.encrypt('my-password'));
    const before = rowsOf(db, 'encrypted_credentials');
    expect(thrownBy(() => new ProxyRepository(db).update(id, { port: 9000 }))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    new ProxyRepository(db, encryption).update(id, { port: 9000 });
    expect(rowsOf(db, 'encrypted_credentials')).toEqual(before);
    expect(encryption.decrypt(credentials.findByProxyId(id))).toBe('my-password');
    await encryption.rotate();
    expect(thrownBy(() => new ProxyRepository(db).update(id, { port: 9001 }))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    new ProxyRepository(db, encryption).update(id, { port: 9001 });
    expect(encryption.decrypt(credentials.findByProxyId(id))).toBe('my-password');
  });

  it.each(['by a service of the database', 'by a service of no database'])(
    'leaves what a program has bound by associated data of its own as it is: %s',
    (by) => {
      const { db, key, encryption, credentials, ids } = openPool(2);
      const [id = '', other = ''] = ids;
      const data = Buffer.from('a program\u2019s own');
      const service = by === 'by a service of the database' ? encryption : new EncryptionService({ key });
      // A direct one is refused beside data keys.
      if (service !== encryption) for (const table of TABLES) attack(db, `DELETE FROM ${table}`);
      credentials.save(id, service.encrypt('my-password', data));
      const before = rowsOf(db, 'encrypted_credentials');
      const proxies = new ProxyRepository(db, encryption);
      for (const changes of MOVES) proxies.update(id, changes);
      expect(rowsOf(db, 'encrypted_credentials')).toEqual(before);
      expect(service.decrypt(credentials.findByProxyId(id), data)).toBe('my-password');
      expect(thrownBy(() => new ProxyRepository(db).update(id, { port: 7 }))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      // Moving another proxy is not affected.
      if (service === encryption) expect(proxies.update(other, { port: 99 })).toMatchObject({ port: 99 });
    },
  );

  it('encrypts a login again whose row was made to say that it is not bound', () => {
    const { db, encryption, credentials, ids } = openPool(1);
    const [id = ''] = ids;
    const proxies = new ProxyRepository(db, encryption);
    for (const [n, binding] of [`'unbound'`, 'NULL'].entries()) {
      attack(db, `UPDATE encrypted_credentials SET binding = ${binding}, binding_version = NULL`);
      const before = [rowsOf(db, 'proxies'), rowsOf(db, 'encrypted_credentials')];
      expect(thrownBy(() => new ProxyRepository(db).update(id, { port: 7 }))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('EncryptionService'),
      });
      expect([rowsOf(db, 'proxies'), rowsOf(db, 'encrypted_credentials')]).toEqual(before);
      proxies.update(id, { host: `moved-${n}.example` });
      expect(credentials.reveal(id)).toEqual(loginOf(0));
      expect(rowsOf(db, 'encrypted_credentials')).toMatchObject([{ binding: 'login', binding_version: 3 }]);
    }
    // Nor does it go along from an address that SQL has set: it opens at its own only.
    attack(db, BECOMES_EVIL, { id });
    attack(db, `UPDATE encrypted_credentials SET binding = 'unbound', binding_version = NULL`);
    const [bound] = rowsOf(db, 'encrypted_credentials');
    proxies.update(id, { port: 9000 });
    expect(rowsOf(db, 'encrypted_credentials')).toEqual([bound]);
    expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    proxies.update(id, { host: 'moved-1.example', port: 1 });
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });

  it('takes no login along that was sent elsewhere by SQL, and puts a wrong address right', () => {
    const { db, encryption, credentials, ids } = openPool(1);
    const [id = ''] = ids;
    const proxies = new ProxyRepository(db, encryption);
    attack(db, BECOMES_EVIL, { id });
    const before = [rowsOf(db, 'proxies'), rowsOf(db, 'encrypted_credentials')];
    for (const changes of [{ port: 9000 }, { protocol: 'https' as const }, { host: 'other.example' }])
      expect(thrownBy(() => proxies.update(id, changes))).toMatchObject({
        ...CORRUPT,
        details: { proxyId: id },
      });
    expect([rowsOf(db, 'proxies'), rowsOf(db, 'encrypted_credentials')]).toEqual(before);
    proxies.update(id, { host: 'h.example', port: 1 });
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });

  it('is undone with the login by the rollback of its transaction', () => {
    const { db, encryption, credentials, ids } = openPool(1);
    const [id = ''] = ids;
    const undone = thrownBy(() =>
      db.transaction(() => {
        new ProxyRepository(db, encryption).update(id, { host: 'new.example' });
        throw new Error('undone');
      }),
    );
    expect(undone).toMatchObject({ message: 'undone' });
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });

  it('during a rotation leaves every credential readable, bound or not', async () => {
    const { db, encryption, credentials, ids } = openPool(60);
    const proxies = new ProxyRepository(db, encryption);
    for (const id of ids.slice(30)) credentials.save(id, encryption.encrypt(`plain-${id}`));
    let n = 0;
    await encryption.rotate({
      batchSize: 5,
      onProgress: ({ phase }) => {
        if (phase !== 'encrypting') return;
        for (const at of [n, 59 - n]) proxies.update(ids[at] ?? '', { host: `moved-${n}.example` });
        n++;
      },
    });
    await encryption.rotate();
    expect(n).toBeGreaterThan(10);
    expect(await encryption.verify()).toMatchObject({ ok: true, checked: 60, unbound: 0, oldBinding: 0 });
    expect(credentials.reveal(ids[0] ?? '')).toEqual(loginOf(0));
    expect(credentials.reveal(ids[59] ?? '')?.password).toBe(`plain-${ids[59]}`);
  });
});

describe('save', () => {
  it('stores a bound credential only for the proxy and address that it is for', () => {
    const { db, encryption, credentials, ids } = openPool(1);
    const [id = ''] = ids;
    const bound = credentials.findByProxyId(id);
    if (!bound) throw new Error('nothing stored');
    expect(bound.address).toEqual({ protocol: 'http', host: 'h.example', port: 1 });
    new ProxyRepository(db, encryption).update(id, { port: 2 });
    expect(thrownBy(() => credentials.save(id, bound))).toMatchObject({ code: 'NOT_FOUND' });
    expect(credentials.reveal(id)).toEqual(loginOf(0));
    new ProxyRepository(db, encryption).update(id, { port: 1 });
    credentials.save(id, bound);
    expect(rowsOf(db, 'encrypted_credentials')).toMatchObject([{ binding_version: 3 }]);
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });
});

describe('check', () => {
  it('says that it did not open the credentials without the key, or with another', async () => {
    const { db } = openPool(2);
    expect(await db.check()).toMatchObject({ ok: true, credentials: null });
    expect(await db.check({ deep: true })).toMatchObject({
      ok: true,
      credentials: { verified: false, total: 2, code: 'KEY_MISSING' },
    });
    const encryption = new EncryptionService({ key: randomBytes(32) });
    expect(await db.check({ deep: true, encryption })).toMatchObject({
      ok: true,
      credentials: { verified: false, total: 2, code: 'KEY_MISMATCH' },
    });
    db.driver.run('DELETE FROM encrypted_credentials', {});
    expect(await db.check({ deep: true })).toMatchObject({
      ok: true,
      credentials: { verified: true, checked: 0 },
    });
  });
});

it('an export takes proxies as they are that were moved after it was begun', () => {
  const { db, encryption, ids } = openPool(3);
  const lines: string[] = [];
  for (const piece of exportProxies(db, { encryption, reveal: true })) {
    if (lines.length === 0)
      new ProxyRepository(db, encryption).update(ids[2] ?? '', { host: 'moved.example' });
    lines.push(piece);
  }
  expect(lines.join('')).toContain('moved.example');
  expect(lines.join('')).toContain('canary-pass-2');
});

describe('a login that cannot be read', () => {
  it('harms only its own proxy: exports leave it out, and an import of its list stores it again', async () => {
    const { db, encryption, credentials, ids } = openPool(3);
    attack(db, `UPDATE encrypted_credentials SET iv = x'00' WHERE proxy_id = :id`, { id: ids[0] ?? '' });
    attack(
      db,
      `UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA==' WHERE proxy_id = :id`,
      { id: ids[1] ?? '' },
    );
    const leftOut: string[] = [];
    const onLeftOut = ({ id, reason }: { id: string; reason: string }): void =>
      void leftOut.push(`${id} ${reason}`);
    const list = [...exportProxies(db, { encryption, reveal: true, onLeftOut })].join('');
    expect(list).toContain(loginOf(2).password);
    expect(leftOut).toEqual([
      expect.stringMatching(`^${ids[0]} .*INVALID_ROW`),
      expect.stringMatching(`^${ids[1]} .*CREDENTIAL_CORRUPT`),
    ]);
    expect([...exportProxies(db)].join('').trim().split('\n')).toHaveLength(3);

    const lines = ids.map(
      (_, n) => `http://${loginOf(n).username}:${loginOf(n).password}@h.example:${n + 1}`,
    );
    const { added, updated, unchanged } = await importProxies(db, lines.join('\n'), { encryption });
    expect({ added, updated, unchanged }).toEqual({ added: 0, updated: 2, unchanged: 1 });
    ids.forEach((id, n) => {
      expect(credentials.reveal(id)).toEqual(loginOf(n));
    });
  });
});
