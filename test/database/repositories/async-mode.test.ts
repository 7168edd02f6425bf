import { randomBytes } from 'node:crypto';
import type { DatabaseManager, Driver, Params, ProxyConfig, Row, Session, Steps } from 'proxyvault/database';
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
import { openMigrated } from '../../support/temporary.ts';

/** An engine that answers with promises, as one over a network will: each statement a turn of the event loop later. */
function asyncSession(db: DatabaseManager): Session<'async'> {
  const later = <T>(work: () => T): Promise<T> =>
    new Promise<void>((resolve) => setImmediate(resolve)).then(work);
  const { driver } = db;
  function all<T>(sql: string, params: Params, map: (row: Row) => T): Promise<T[]>;
  function all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T,
    finish: (values: T[]) => U,
  ): Promise<U>;
  function all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T,
    finish?: (values: T[]) => U,
  ): Promise<T[] | U> {
    return later(() => (finish ? driver.all(sql, params, map, finish) : driver.all(sql, params, map)));
  }
  function run(sql: string, params: Params): Promise<number>;
  function run<T>(sql: string, params: Params, map: (changed: number) => T): Promise<T>;
  function run<T>(sql: string, params: Params, map?: (changed: number) => T): Promise<number | T> {
    return later(() => (map ? driver.run(sql, params, map) : driver.run(sql, params)));
  }
  const asyncDriver: Driver<'async'> = {
    mode: 'async',
    transactionNumber: 0,
    rollbacks: 0,
    all,
    run,
    first: (sql, params, map) => later(() => driver.first(sql, params, map)),
    one: (sql, params, map) => later(() => driver.one(sql, params, map)),
    async *iterate<T>(sql: string, params: Params, map: (row: Row) => T): AsyncGenerator<T> {
      for (const row of driver.iterate(sql, params, map)) yield await later(() => row);
    },
    checkpoint: () => later(() => driver.checkpoint()),
    async transaction<T>(steps: () => Steps<'async', T>): Promise<T> {
      driver.exec('SAVEPOINT async_transaction');
      try {
        const generator = steps();
        let step = generator.next();
        while (!step.done) step = await settle(generator, step.value);
        driver.exec('RELEASE async_transaction');
        return step.value;
      } catch (error) {
        driver.exec('ROLLBACK TO async_transaction; RELEASE async_transaction');
        throw error;
      }
    },
  };
  return { driver: asyncDriver, clock: db.clock };
}

async function settle<T>(
  generator: Steps<'async', T>,
  pending: Promise<unknown>,
): Promise<IteratorResult<Promise<unknown>, T>> {
  let value: unknown;
  try {
    value = await pending;
  } catch (error) {
    return generator.throw(error);
  }
  return generator.next(value);
}

describe('the same repositories over an engine that answers with promises', () => {
  it('have promises for values in their types, and values for values over SQLite', () => {
    const db = openMigrated({ path: ':memory:' });
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

  it('bind credentials to their row, without keys of the database', async () => {
    const db = openMigrated({ path: ':memory:' });
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

  it('do the same work, compound steps and errors too', async () => {
    const db = openMigrated({ path: ':memory:' });
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
        input,
        { ...input, port: 2 },
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
