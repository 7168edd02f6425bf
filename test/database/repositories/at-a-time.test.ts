import { randomBytes } from 'node:crypto';
import type { ProxyInput } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { describe, expect, it, vi } from 'vitest';
import { asyncSession } from '../../support/async-engine.ts';
import { answer, failureOf, listOf } from '../../support/modes.ts';
import { openMigrated } from '../../support/temporary.ts';

const proxy = (port: number, password?: string): ProxyInput => ({
  host: 'h.example',
  port,
  protocol: 'http',
  ...(password && { credentials: { username: `user-${port}`, password } }),
});
const list = (count: number, password?: string): ProxyInput[] =>
  Array.from({ length: count }, (_, i) => proxy(i + 1, password));

/** Two programs on one database, each with its key and its connections. */
function openTwo(): [Session<'async'>, Session<'async'>] {
  const db = openMigrated();
  return [asyncSession(db), asyncSession(db)];
}

describe('repositories of several programs at a time', () => {
  it('import one list in two orders: each proxy is stored once, with its login', async () => {
    const key = randomBytes(32);
    const sessions = openTwo();
    const encryption = new EncryptionService({ key });
    const [a, b] = sessions.map((session) => new ProxyRepository<'async'>(session, encryption));
    const summaries = await Promise.all([
      a?.importMany(list(12, 'p')),
      b?.importMany(list(12, 'p').reverse()),
    ]);
    const total = (of: 'added' | 'updated' | 'unchanged') =>
      summaries.reduce((sum, s) => sum + Number(s?.[of]), 0);
    expect([total('added'), total('updated'), total('unchanged')]).toEqual([12, 0, 12]);
    expect(await a?.count()).toBe(12);
    const credentials = new EncryptedCredentialsRepository(sessions[0], new EncryptionService({ key }));
    for (const { id, port } of await listOf(new ProxyRepository(sessions[0]).iterate()))
      expect(await credentials.reveal(id)).toEqual({ username: `user-${port}`, password: 'p' });
  });

  /** Runs `work` and lets another program write right after its first statement. */
  async function inTheWay(
    session: Session<'async'>,
    other: Session<'async'>,
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    let isFirst = true;
    return session.driver.transaction(function* () {
      yield* answer(session.driver.one('SELECT count(*) AS n FROM proxies', {}, (row) => row?.n));
      if (isFirst) yield* answer(new ProxyRepository(other).create(proxy(1000)));
      isFirst = false;
      return yield* answer(work());
    });
  }

  it('play an import again that was in the way, and store all of it, also through the error that names an entry', async () => {
    const [session, other] = openTwo();
    const proxies = new ProxyRepository(session);
    expect(await inTheWay(session, other, () => proxies.importMany(list(3)))).toEqual({
      added: 3,
      updated: 0,
      unchanged: 0,
    });
    expect(await proxies.count()).toBe(4);
  });

  it.each(['createMany', 'importMany'] as const)(
    '%s of what can be read once only is an error and never an empty success when it is played again',
    async (method) => {
      const [session, other] = openTwo();
      const proxies = new ProxyRepository(session);
      const once = list(3).values();
      const error = await failureOf(() => inTheWay(session, other, () => proxies[method](once)));
      expect(error).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('Give an array'),
      });
      expect(await proxies.count()).toBe(1);
      // It may be read once, and a list again and again.
      expect(await proxies[method](list(3).values())).toBeTruthy();
      expect(await proxies.count()).toBe(4);
    },
  );

  it('recordMany of outcomes and events that can be read once only is an error when it is played again', async () => {
    const [session, other] = openTwo();
    const { id } = await new ProxyRepository(session).create(proxy(1));
    const usage = new ProxyUsageStatsRepository(session);
    const once = [{ proxyId: id, success: true }].values();
    expect(await failureOf(() => inTheWay(session, other, () => usage.recordMany(once)))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await usage.totals()).toMatchObject({ requestCount: 0 });
  });

  it('create proxies: each gets a revision of its own, and none is refused', async () => {
    const sessions = openTwo();
    const proxies = sessions.map((session) => new ProxyRepository(session));
    await Promise.all(list(30).map((input, i) => proxies[i % 2]?.create(input)));
    expect(await proxies[0]?.count()).toBe(30);
    const revisions = await sessions[0].driver.all(
      'SELECT revision FROM proxies ORDER BY revision',
      {},
      (row) => row.revision,
    );
    expect(new Set(revisions).size).toBe(30);
  });

  it('create one proxy: one does, and the others hear of it', async () => {
    const sessions = openTwo();
    const proxies = sessions.map((session) => new ProxyRepository(session));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => proxies[i % 2]?.create(proxy(1))),
    );
    const made = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(made).toHaveLength(1);
    const [{ id } = { id: '' }] = (await proxies[0]?.findAll()) ?? [];
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'CONFLICT', details: { existingId: id } });
  });

  it('merge changes of the configuration, and lose none', async () => {
    const configs = openTwo().map((session) => new RotationConfigRepository(session));
    const weights = Array.from({ length: 10 }, (_, i) => `p${i}`);
    const fields = { intervalMs: 1000, maxRequestsPerProxy: 5, failureThreshold: 3 };
    await Promise.all([
      ...Object.entries(fields).map(([name, value], i) => configs[i % 2]?.update({ [name]: value })),
      configs[0]?.update({ options: { stickyTtlMs: 7 } }),
      configs[1]?.update({ options: { weights: Object.fromEntries(weights.map((name) => [name, 1])) } }),
    ]);
    expect(await configs[0]?.get()).toMatchObject({
      ...fields,
      options: { stickyTtlMs: 7, weights: { p9: 1 } },
    });
  });

  it('count every outcome and every use', async () => {
    const sessions = openTwo();
    const proxies = sessions.map((session) => new ProxyRepository(session));
    const { id = '' } = (await proxies[0]?.create(proxy(1))) ?? {};
    await new StickySessionRepository(sessions[0]).create({ domain: 'a.example', proxyId: id });
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        await proxies[i % 2]?.updateStats(id, i % 4 !== 0, 10);
        const session = sessions[i % 2];
        if (session) await new StickySessionRepository(session).use('a.example');
      }),
    );
    expect(await proxies[1]?.findById(id)).toMatchObject({ totalRequests: 40, successRate: 75 });
    expect(await new ProxyUsageStatsRepository(sessions[0]).totals()).toMatchObject({
      requestCount: 40,
      successCount: 30,
    });
    expect(await new StickySessionRepository(sessions[1]).findByDomain('a.example')).toMatchObject({
      requestCount: 41,
    });
  });

  it('order rules: always as one of them said, and never a mixture', async () => {
    const [first, second] = openTwo().map((session) => new RotationRulesRepository(session));
    const ids: string[] = [];
    for (let i = 0; i < 8; i++) {
      const rule = await first?.create({
        name: `rule ${i}`,
        conditions: [{ field: 'hour', operator: 'equals', value: i }],
        actions: [{ type: 'block' }],
      });
      ids.push(rule?.id ?? '');
    }
    for (let round = 0; round < 5; round++) {
      await Promise.all([first?.reorder(ids), second?.reorder(ids.toReversed())]);
      const order = (await first?.findAll())?.map(({ id }) => id).join();
      expect([ids.join(), ids.toReversed().join()]).toContain(order);
    }
  });

  it('remove what left a list, and never what another import has found meanwhile', async () => {
    const sessions = openTwo();
    const [a, b] = sessions.map((session) => new ProxyRepository(session));
    for (let round = 0; round < 5; round++) {
      await a?.importMany(list(10), { tag: { name: 'one', importId: `${round}-1` } });
      const tags = new ProxyTagsRepository(sessions[0]);
      await Promise.all([
        tags.removeOthers('one', `${round}-2`),
        b?.importMany(list(5), { tag: { name: 'two', importId: `${round}` } }),
      ]);
      const found = (await b?.findAll())?.map(({ port }) => port).sort((x, y) => x - y);
      expect(found).toEqual([1, 2, 3, 4, 5]);
      expect(await tags.count('two')).toBe(5);
    }
  });
});

/**
 * The engine of these tests plays every transaction again that has read what is no longer so. One that does not needs the
 * locks, so that they are looked for here.
 */
describe('what relies on a single writer', () => {
  const works: [
    name: string,
    work: (pool: ReturnType<typeof openPool>) => Promise<unknown>,
    locks: string[],
  ][] = [
    [
      'a change of the configuration',
      ({ config }) => config.update({ intervalMs: 5 }),
      ['rotation config exclusive'],
    ],
    [
      'an import with a tag',
      ({ proxies }) => proxies.importMany(list(2), { tag: { name: 't', importId: '1' } }),
      ['tags exclusive'],
    ],
    ['tagging a proxy', ({ tags, id }) => tags.add(id, 't', '1'), ['tags exclusive']],
    ['removing what left a list', ({ tags }) => tags.removeOthers('t', '2'), ['tags exclusive']],
    [
      'storing a login',
      ({ credentials, id }) => credentials.store(id, { username: 'u', password: 'p' }),
      ['data keys shared'],
    ],
    ['a rotation', ({ encryption }) => encryption.rotate(), ['data keys exclusive']],
  ];

  function openPool(session: Session<'async'>, key: Buffer, id: string) {
    const encryption = new EncryptionService<'async'>({ key, database: session });
    return {
      id,
      encryption,
      proxies: new ProxyRepository(session, encryption),
      credentials: new EncryptedCredentialsRepository(session, encryption),
      tags: new ProxyTagsRepository(session),
      config: new RotationConfigRepository(session),
    };
  }

  it.each(works)('%s takes its lock', async (_, work, locks) => {
    const [session] = openTwo();
    const key = randomBytes(32);
    const lock = vi.spyOn(session.driver, 'lock');
    const { proxies } = openPool(session, key, '');
    const { id } = await proxies.create(proxy(9, 'p'));
    expect(lock.mock.calls.map(([name]) => name)).toContain('first key');
    lock.mockClear();
    await work(openPool(session, key, id));
    const taken = lock.mock.calls.map(([name, mode = 'exclusive']) => `${name} ${mode}`);
    expect(taken).toEqual(expect.arrayContaining(locks));
    expect(taken).not.toContain('first key exclusive');
  });
});
