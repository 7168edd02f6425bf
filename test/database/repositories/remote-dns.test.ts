import { randomBytes } from 'node:crypto';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { ProxyRepository } from '../../../src/database/repositories/index.ts';
import type { ProxyInput } from '../../../src/model/proxy.ts';
import { failureOf, MODES, openSession } from '../../support/modes.ts';
import { openMigrated } from '../../support/temporary.ts';

const SOCKS = { host: 'h.example', port: 1080, protocol: 'socks5' } as const;

describe.each(MODES)('in mode %s', (mode) => {
  function open(): ProxyRepository<'async'> {
    const { session } = openSession(mode);
    const encryption = new EncryptionService<'async'>({ key: randomBytes(32), database: session });
    return new ProxyRepository(session, encryption);
  }

  it('every proxy resolves the names of targets, unless its client is named', async () => {
    const proxies = open();
    for (const protocol of ['http', 'https', 'socks4', 'socks5'] as const) {
      const { id, remoteDns } = await proxies.create({ ...SOCKS, protocol });
      expect([protocol, remoteDns, (await proxies.findById(id))?.remoteDns]).toEqual([protocol, true, true]);
    }
    const local = await proxies.create({ ...SOCKS, port: 1, remoteDns: false });
    expect(local.remoteDns).toBe(false);
    expect(await proxies.findById(local.id)).toEqual(local);
  });

  it('an HTTP proxy cannot leave names to its client, when it is added or changed', async () => {
    const proxies = open();
    const invalid = expect.objectContaining({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/remoteDns: false is for socks4 and socks5 alone/),
    });
    for (const protocol of ['http', 'https'] as const) {
      const proxy: ProxyInput = { ...SOCKS, protocol, remoteDns: false };
      expect(await failureOf(() => proxies.create(proxy))).toEqual(invalid);
      expect(
        await failureOf(() => proxies.importMany([{ ...SOCKS, remoteDns: false }, proxy])),
      ).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(await proxies.count()).toBe(0);
    }
    const http = await proxies.create({ ...SOCKS, protocol: 'http' });
    expect(await failureOf(() => proxies.update(http.id, { remoteDns: false, name: 'x' }))).toEqual(invalid);
    expect(await proxies.findById(http.id)).toEqual(http);
  });

  it('a change of protocol keeps who resolves names among SOCKS, and an HTTP proxy resolves them', async () => {
    const proxies = open();
    const { id } = await proxies.create({ ...SOCKS, remoteDns: false });
    expect((await proxies.update(id, { protocol: 'socks4' })).remoteDns).toBe(false);
    expect((await proxies.update(id, { name: 'n' })).remoteDns).toBe(false);
    expect((await proxies.update(id, { protocol: 'http' })).remoteDns).toBe(true);
    expect((await proxies.update(id, { protocol: 'socks5' })).remoteDns).toBe(true);
    expect((await proxies.update(id, { remoteDns: false })).remoteDns).toBe(false);
    expect((await proxies.update(id, { remoteDns: true })).remoteDns).toBe(true);
  });

  it('an import that says who resolves names updates a known proxy, and one that does not leaves it', async () => {
    const proxies = open();
    const add = (remoteDns?: boolean): unknown =>
      proxies.importMany([{ ...SOCKS, remoteDns, credentials: { username: 'u', password: 'p' } }]);
    expect(await add(false)).toMatchObject({ added: 1 });
    for (const [said, outcome, stored] of [
      [undefined, 'unchanged', false],
      [false, 'unchanged', false],
      [true, 'updated', true],
      [undefined, 'unchanged', true],
      [false, 'updated', false],
    ] as const) {
      expect(await add(said)).toMatchObject({ [outcome]: 1 });
      expect((await proxies.findAll()).map(({ remoteDns }) => remoteDns)).toEqual([stored]);
    }
  });

  it('only true and false are taken, and a value that is neither is a malformed row', async () => {
    const { db, session } = openSession(mode);
    const proxies = new ProxyRepository(session);
    for (const remoteDns of ['false', 0, null])
      expect(
        await failureOf(() => proxies.create({ ...SOCKS, remoteDns } as unknown as ProxyInput)),
      ).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('remoteDns'),
      });
    const { id } = await proxies.create(SOCKS);
    expect(await failureOf(() => db.driver.run('UPDATE proxies SET remote_dns = 2', {}))).toMatchObject({
      code: 'CONSTRAINT',
    });
    db.driver.run('PRAGMA ignore_check_constraints = 1', {});
    db.driver.run('UPDATE proxies SET remote_dns = 2', {});
    expect(await failureOf(() => proxies.findById(id))).toMatchObject({
      code: 'INVALID_ROW',
      details: { column: 'remote_dns' },
    });
  });
});

it('a pool of the version before has every proxy resolve names, and loses only that on the way back', () => {
  const db = openMigrated();
  db.migrations.to(5);
  db.driver.run(
    `INSERT INTO proxies (id, name, host, port, protocol) VALUES ('id', 'n', 'h', 1, 'socks5')`,
    {},
  );
  db.migrations.up();
  const proxies = new ProxyRepository(db);
  expect(proxies.findById('id')?.remoteDns).toBe(true);
  proxies.update('id', { remoteDns: false });
  db.migrations.to(5);
  db.migrations.up();
  expect(proxies.findById('id')?.remoteDns).toBe(true);
});
