import { randomBytes } from 'node:crypto';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { exportProxies, type LeftOut } from '../../../src/transfer/index.ts';
import { rowsOf } from '../../support/pool.ts';
import { openDatabase, openMigrated, thrownBy } from '../../support/temporary.ts';

const GATE = { host: 'gate.example', port: 7000, protocol: 'http' as const };
/** The version before the password was a part of the identity. */
const BEFORE = 5;

function insert(db: DatabaseManager, id: string, values: Record<string, string | number> = {}): void {
  const row = { id, name: 'n', created_at: '2026-01-01 00:00:00', ...GATE, ...values };
  const columns = Object.keys(row);
  db.driver.run(
    `INSERT INTO proxies (${columns.join(', ')}) VALUES (${columns.map((name) => `:${name}`).join(', ')})`,
    row,
  );
}

const identitiesOf = (db: DatabaseManager): unknown[] =>
  rowsOf(db, 'proxies').map((row) => [row.id, row.username_fingerprint, row.password_fingerprint]);

/** A pool of the version before, with these logins at one gateway. */
function olderPool(...passwords: string[]): {
  db: DatabaseManager;
  proxies: ProxyRepository;
  credentials: EncryptedCredentialsRepository;
  ids: string[];
} {
  const db = openMigrated();
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  const proxies = new ProxyRepository(db, encryption);
  const ids = passwords.map((password) => proxies.create(login(password)).id);
  db.migrations.to(BEFORE);
  return { db, proxies, credentials: new EncryptedCredentialsRepository(db, encryption), ids };
}

function login(password: string, username = 'u'): Parameters<ProxyRepository['create']>[0] {
  return { ...GATE, credentials: { username, password } };
}

describe('going up', () => {
  it('gives proxies without a login their identity: of several at one address, to the oldest', () => {
    const db = openDatabase();
    db.migrations.to(BEFORE);
    insert(db, 'a', { created_at: '2026-01-03 00:00:00' });
    insert(db, 'b', { created_at: '2026-01-02 00:00:00' });
    insert(db, 'c', { port: 7001 });
    insert(db, 'd', { port: 7002, username_fingerprint: '' });
    insert(db, 'e', { port: 7002 });
    insert(db, 'f', { port: 7003, username_fingerprint: 'lost' });
    db.migrations.up();
    expect(identitiesOf(db)).toEqual([
      ['a', null, null],
      ['b', '', ''],
      ['c', '', ''],
      ['d', '', ''],
      ['e', null, null],
      ['f', 'lost', null],
    ]);
    const proxies = new ProxyRepository(db);
    expect(thrownBy(() => proxies.create({ ...GATE }))).toMatchObject({ details: { existingId: 'b' } });
    expect(proxies.importMany([GATE, { ...GATE, port: 7001 }])).toEqual({
      added: 0,
      updated: 0,
      unchanged: 2,
    });
    const leftOut: LeftOut[] = [];
    const text = [...exportProxies(db, { onLeftOut: (proxy) => leftOut.push(proxy) })].join('');
    expect(leftOut).toEqual([
      { id: 'b', reason: 'it has the address and login of a: remove one of them' },
      { id: 'e', reason: 'it has the address and login of d: remove one of them' },
    ]);
    expect(text.trim().split('\n')).toHaveLength(proxies.count() - leftOut.length);
  });

  it('keeps every proxy with a login, and an import or create finds it as before', () => {
    const { db, proxies, credentials, ids } = olderPool('p');
    db.migrations.up();
    expect(rowsOf(db, 'proxies')[0]?.password_fingerprint).toBeNull();
    expect(thrownBy(() => proxies.create(login('p')))).toMatchObject({ details: { existingId: ids[0] } });
    proxies.create(login('another'));
    expect(rowsOf(db, 'proxies')[0]?.password_fingerprint).toMatch(/^[\w-]{22}$/);
    expect(proxies.delete(String(proxies.findAll()[1]?.id))).toBe(true);
    for (const [password, outcome] of [
      ['p', 'unchanged'],
      ['q', 'updated'],
      ['q', 'unchanged'],
    ] as const) {
      db.migrations.to(BEFORE);
      db.migrations.up();
      expect(proxies.importMany([login(password)])).toMatchObject({ added: 0, [outcome]: 1 });
    }
    expect(credentials.reveal(String(ids[0]))).toEqual({ username: 'u', password: 'q' });
    db.migrations.to(BEFORE);
    db.migrations.up();
    expect(proxies.importMany([login('r'), login('q')])).toEqual({ added: 1, updated: 0, unchanged: 1 });
    expect(credentials.reveal(String(ids[0]))).toEqual({ username: 'u', password: 'q' });
  });

  it('stops at no login that cannot be read, and an import brings back one that is lost', () => {
    for (const sql of [
      `UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`,
      'DELETE FROM encrypted_credentials',
    ]) {
      const { db, proxies, credentials, ids } = olderPool('p');
      db.driver.run(sql, {});
      db.migrations.up();
      expect(proxies.importMany([login('p')])).toEqual({ added: 0, updated: 1, unchanged: 0 });
      expect(credentials.reveal(String(ids[0]))).toEqual({ username: 'u', password: 'p' });
      expect(proxies.importMany([login('p')])).toEqual({ added: 0, updated: 0, unchanged: 1 });
    }
  });
});

describe('going down', () => {
  it('leaves the older identity to the oldest of several proxies with one username, and comes back', () => {
    const { db, proxies, ids } = olderPool('a', 'b', 'c');
    const schema = (of: DatabaseManager): unknown[] =>
      of.driver.all('SELECT name, sql FROM sqlite_schema ORDER BY name', {}, ({ name, sql }) => [name, sql]);
    const fresh = openDatabase();
    fresh.migrations.to(BEFORE);
    expect(schema(db)).toEqual(schema(fresh));
    const rows = rowsOf(db, 'proxies');
    expect(rows.map(({ id }) => id)).toEqual(ids);
    expect(rows.map(({ username_fingerprint: known }) => known !== null)).toEqual([true, false, false]);
    db.migrations.up();
    expect(proxies.importMany(['c', 'd', 'b', 'a'].map((password) => login(password)))).toEqual({
      added: 1,
      updated: 0,
      unchanged: 3,
    });
    expect(proxies.findAll().map(({ id }) => id)).toEqual([...ids, expect.any(String)]);
  });
});
