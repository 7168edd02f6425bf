import { randomBytes } from 'node:crypto';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { ProxyCooldownsRepository } from '../../../src/database/repositories/proxy-cooldowns.repository.ts';
import { importProxies } from '../../../src/transfer/index.ts';
import { openMigrated } from '../../support/temporary.ts';

const PROXY = { host: 'gate.example', port: 1, protocol: 'http' } as const;
const LOGIN = { username: 'u', password: 'p' };

/** A proxy whose login was rejected, and that is out for other reasons too. */
function open() {
  const db = openMigrated({ path: ':memory:' });
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  const proxies = new ProxyRepository(db, encryption);
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  const cooldowns = new ProxyCooldownsRepository(db);
  const { id } = proxies.create({ ...PROXY, credentials: LOGIN });
  const mark = (): void => {
    const times = { times: 1, since: '2026-01-01', until: null, detail: null };
    cooldowns.set({ ...times, proxyId: id, scope: '', source: 'engine', kind: 'auth' });
    cooldowns.set({ ...times, proxyId: id, scope: 'session s', source: 'engine', kind: 'auth' });
    cooldowns.set({ ...times, proxyId: id, scope: '', source: 'person', kind: 'auth' });
    cooldowns.set({ ...times, proxyId: id, scope: 'domain a.example', source: 'engine', kind: 'blocked' });
  };
  mark();
  const left = (): string[] => cooldowns.find(id).map(({ source, kind }) => `${source} ${kind}`);
  return { db, encryption, proxies, credentials, id, mark, left };
}

const OTHERS = ['person auth', 'engine blocked'];

describe('a mark that the login was rejected', () => {
  it('goes when a login is stored, replaced or removed', () => {
    const { credentials, encryption, id, mark, left } = open();
    const changes: Record<string, () => unknown> = {
      store: () => credentials.store(id, { ...LOGIN, password: 'q' }),
      same: () => credentials.store(id, { ...LOGIN, password: 'q' }),
      save: () => credentials.save(id, encryption.encrypt('text')),
      delete: () => credentials.delete(id),
      first: () => credentials.store(id, LOGIN),
    };
    for (const [name, change] of Object.entries(changes)) {
      mark();
      change();
      expect([name, left()]).toEqual([name, OTHERS]);
    }
  });

  it('goes when an import brings another password, and stays if it brings the same', async () => {
    const { db, encryption, proxies, left } = open();
    const before = left();
    await importProxies(db, ['http://u:p@gate.example:1'], { encryption });
    expect(left()).toEqual(before);
    await importProxies(db, ['http://u:other@gate.example:1'], { encryption });
    expect(left()).toEqual(OTHERS);
    expect(proxies.count()).toBe(1);
  });

  it('stays when keys are rotated, and when a change of the login is rolled back', async () => {
    const { db, encryption, credentials, id, left } = open();
    const before = left();
    await encryption.rotate();
    expect(left()).toEqual(before);
    expect(() =>
      db.transaction(() => {
        credentials.delete(id);
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(left()).toEqual(before);
  });
});
