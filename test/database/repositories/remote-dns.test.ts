import { randomBytes } from 'node:crypto';
import { EncryptionService } from 'proxyvault/database/services';
import { expect, it } from 'vitest';
import { ProxyRepository } from '../../../src/database/repositories/index.ts';
import type { ProxyInput } from '../../../src/model/proxy.ts';
import { openMigrated, thrownBy } from '../../support/temporary.ts';

const SOCKS = { host: 'h.example', port: 1080, protocol: 'socks5' } as const;

function open(): ProxyRepository {
  const db = openMigrated();
  return new ProxyRepository(db, new EncryptionService({ key: randomBytes(32), database: db }));
}

it('every proxy resolves the names of targets, unless its client is named', () => {
  const proxies = open();
  for (const protocol of ['http', 'https', 'socks4', 'socks5'] as const) {
    const { id, remoteDns } = proxies.create({ ...SOCKS, protocol });
    expect([protocol, remoteDns, proxies.findById(id)?.remoteDns]).toEqual([protocol, true, true]);
  }
  const local = proxies.create({ ...SOCKS, port: 1, remoteDns: false });
  expect(local.remoteDns).toBe(false);
  expect(proxies.findById(local.id)).toEqual(local);
});

it('an HTTP proxy cannot leave names to its client, when it is added or changed', () => {
  const proxies = open();
  const invalid = expect.objectContaining({
    code: 'INVALID_INPUT',
    message: expect.stringMatching(/remoteDns: false is for socks4 and socks5 alone/),
  });
  for (const protocol of ['http', 'https'] as const) {
    const proxy: ProxyInput = { ...SOCKS, protocol, remoteDns: false };
    expect(thrownBy(() => proxies.create(proxy))).toEqual(invalid);
    expect(thrownBy(() => proxies.importMany([{ ...SOCKS, remoteDns: false }, proxy]))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(proxies.count()).toBe(0);
  }
  const http = proxies.create({ ...SOCKS, protocol: 'http' });
  expect(thrownBy(() => proxies.update(http.id, { remoteDns: false, name: 'x' }))).toEqual(invalid);
  expect(proxies.findById(http.id)).toEqual(http);
});

it('a change of protocol keeps who resolves names among SOCKS, and an HTTP proxy resolves them', () => {
  const proxies = open();
  const { id } = proxies.create({ ...SOCKS, remoteDns: false });
  expect(proxies.update(id, { protocol: 'socks4' }).remoteDns).toBe(false);
  expect(proxies.update(id, { name: 'n' }).remoteDns).toBe(false);
  expect(proxies.update(id, { protocol: 'http' }).remoteDns).toBe(true);
  expect(proxies.update(id, { protocol: 'socks5' }).remoteDns).toBe(true);
  expect(proxies.update(id, { remoteDns: false }).remoteDns).toBe(false);
  expect(proxies.update(id, { remoteDns: true }).remoteDns).toBe(true);
});

it('an import that says who resolves names updates a known proxy, and one that does not leaves it', () => {
  const proxies = open();
  const add = (remoteDns?: boolean): unknown =>
    proxies.importMany([{ ...SOCKS, remoteDns, credentials: { username: 'u', password: 'p' } }]);
  expect(add(false)).toMatchObject({ added: 1 });
  for (const [said, outcome, stored] of [
    [undefined, 'unchanged', false],
    [false, 'unchanged', false],
    [true, 'updated', true],
    [undefined, 'unchanged', true],
    [false, 'updated', false],
  ] as const) {
    expect(add(said)).toMatchObject({ [outcome]: 1 });
    expect(proxies.findAll().map(({ remoteDns }) => remoteDns)).toEqual([stored]);
  }
});

it('only true and false are taken, and a value that is neither is a malformed row', () => {
  const db = openMigrated();
  const proxies = new ProxyRepository(db);
  for (const remoteDns of ['false', 0, null])
    expect(thrownBy(() => proxies.create({ ...SOCKS, remoteDns } as unknown as ProxyInput))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('remoteDns'),
    });
  const { id } = proxies.create(SOCKS);
  expect(thrownBy(() => db.driver.run('UPDATE proxies SET remote_dns = 2', {}))).toMatchObject({
    code: 'CONSTRAINT',
  });
  db.driver.run('PRAGMA ignore_check_constraints = 1', {});
  db.driver.run('UPDATE proxies SET remote_dns = 2', {});
  expect(thrownBy(() => proxies.findById(id))).toMatchObject({
    code: 'INVALID_ROW',
    details: { column: 'remote_dns' },
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
  db.driver.run('UPDATE proxies SET position = 1', {});
  const proxies = new ProxyRepository(db);
  expect(proxies.findById('id')?.remoteDns).toBe(true);
  proxies.update('id', { remoteDns: false });
  db.migrations.to(5);
  db.migrations.up();
  expect(proxies.findById('id')?.remoteDns).toBe(true);
});
