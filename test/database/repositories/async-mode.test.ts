import { randomBytes } from 'node:crypto';
import type { ProxyConfig } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { asyncSession } from '../../support/async-engine.ts';
import { openMigrated } from '../../support/temporary.ts';

describe('the same repositories over an engine that answers with promises', () => {
  it('have promises for values in their types, and values for values over SQLite', () => {
    const db = openMigrated();
    expectTypeOf(new ProxyRepository(db)).toEqualTypeOf<ProxyRepository<'sync'>>();
    expectTypeOf(new ProxyRepository(asyncSession(db))).toEqualTypeOf<ProxyRepository<'async'>>();
    expectTypeOf<ReturnType<ProxyRepository['findById']>>().toEqualTypeOf<ProxyConfig | null>();
    expectTypeOf<ReturnType<ProxyRepository<'async'>['findById']>>().toEqualTypeOf<
      Promise<ProxyConfig | null>
    >();
    expectTypeOf<ReturnType<ProxyRepository['delete']>>().toEqualTypeOf<boolean>();
    expectTypeOf<ReturnType<ProxyRepository<'async'>['iterate']>>().toEqualTypeOf<
      AsyncIterableIterator<ProxyConfig>
    >();
  });

  it('bind credentials to their row', async () => {
    const db = openMigrated();
    const session = asyncSession(db);
    const encryption = new EncryptionService({ key: randomBytes(32) });
    const [a, b] = await new ProxyRepository(session).createMany(
      [1, 2].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })),
    );
    const credentials = new EncryptedCredentialsRepository(session, encryption);
    for (const { id } of [a, b].filter((proxy) => proxy !== undefined))
      await credentials.store(id, { username: id, password: 'p' });
    db.driver.exec(`UPDATE encrypted_credentials SET (encrypted_data, iv, auth_tag) =
      (SELECT encrypted_data, iv, auth_tag FROM encrypted_credentials AS other WHERE other.proxy_id = '${a?.id}')`);
    expect(await credentials.reveal(a?.id ?? '')).toEqual({ username: a?.id, password: 'p' });
    await expect(credentials.reveal(b?.id ?? '')).rejects.toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
  });

  it('bind credentials to the address, and encrypt them again for another one', async () => {
    const db = openMigrated();
    const session = asyncSession(db);
    const encryption = new EncryptionService({ key: randomBytes(32) });
    const proxies = new ProxyRepository(session, encryption);
    const login = { username: 'u', password: 'p' };
    const { id } = await proxies.create({ host: 'h.example', port: 1, protocol: 'http', credentials: login });
    const credentials = new EncryptedCredentialsRepository(session, encryption);
    await expect(new ProxyRepository(session).update(id, { port: 2 })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('EncryptionService'),
    });
    expect(await proxies.findById(id)).toMatchObject({ port: 1 });
    const moved = await proxies.update(id, { host: 'new.example', port: 2 });
    expect(await credentials.reveal(moved)).toEqual(login);
    await credentials.store(moved, { ...login, password: 'q' });
    db.driver.exec(`UPDATE proxies SET host = 'evil.example'`);
    await expect(credentials.reveal(id)).rejects.toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    await expect(credentials.reveal(moved)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(credentials.store(moved, login)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(proxies.update(id, { port: 3 })).rejects.toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    expect(await proxies.findById(id)).toMatchObject({ port: 2 });
  });

  it('do the same work, compound steps and errors too', async () => {
    const db = openMigrated();
    const session = asyncSession(db);
    const encryption = new EncryptionService({ key: randomBytes(32) });
    const proxies = new ProxyRepository(session, encryption);
    const login = { username: 'u', password: 'p' };
    const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: login };

    const { id } = await proxies.create(input);
    await expect(proxies.create(input)).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { existingId: id },
    });
    expect(
      await proxies.importMany([
        { ...input, port: 2 },
        { ...input, credentials: { ...login, password: 'q' } },
        { ...input, credentials: { ...login, password: 'q' } },
      ]),
    ).toEqual({
      added: 1,
      updated: 1,
      unchanged: 1,
    });
    expect(await new EncryptedCredentialsRepository(session, encryption).reveal(id)).toEqual({
      username: 'u',
      password: 'q',
    });
    await expect(
      proxies.createMany([
        { ...input, port: 3 },
        { ...input, port: 0 },
      ]),
    ).rejects.toMatchObject({ details: { index: 1 } });
    expect(await proxies.count()).toBe(2);

    await proxies.updateStats(id, true, 80);
    await expect(proxies.updateStats('nobody', true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await proxies.findById(id)).toMatchObject({ totalRequests: 1, latency: 80 });
    expect(await new ProxyUsageStatsRepository(session).totals()).toMatchObject({ requestCount: 1 });
    expect(await proxies.list({ limit: 1 })).toMatchObject({ items: [{ id }], next: id });
    const streamed: string[] = [];
    for await (const proxy of proxies.iterate()) streamed.push(proxy.name);
    expect(streamed).toEqual(['h.example:1', 'h.example:2']);

    const config = new RotationConfigRepository(session);
    await config.update({ options: { stickyTtlMs: 5 } });
    await config.setStrategy('random');
    expect(await config.get()).toMatchObject({ strategy: 'random', options: { stickyTtlMs: 5 } });
    const sticky = new StickySessionRepository(session);
    await sticky.create({ domain: '*.example.com', proxyId: id });
    expect(await sticky.use('a.example.com')).toMatchObject({ proxyId: id, requestCount: 2 });
    const events = new RotationEventsRepository(session);
    expect(await events.recordMany([{ previousProxyId: null, newProxyId: id, reason: 'manual' }])).toBe(1);
    expect(await events.last()).toMatchObject({ newProxyId: id });
    const rules = new RotationRulesRepository(session);
    const rule = await rules.create({
      name: 'n',
      conditions: [{ field: 'hour', operator: 'equals', value: 1 }],
      actions: [{ type: 'block' }],
    });
    await expect(rules.reorder([rule.id, 'nobody'])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await rules.findAll()).toMatchObject([{ id: rule.id, priority: 0 }]);
    expect(await proxies.delete(id)).toBe(true);
  });
});
