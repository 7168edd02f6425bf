import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { DatabaseManager, ProxyConfig, ProxyInput } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyUsageStatsRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { describe, expect, it } from 'vitest';
import { answer, failureOf, inTurn, listOf, MODES, openSession } from '../../support/modes.ts';
import { openMigrated } from '../../support/temporary.ts';

describe.each(MODES)('in mode %s', (mode) => {
  const NOON = Date.UTC(2026, 4, 1, 12);

  function open(): {
    db: DatabaseManager;
    session: Session<'async'>;
    proxies: ProxyRepository<'async'>;
    credentials: EncryptedCredentialsRepository<'async'>;
    time: { now: number };
  } {
    const time = { now: NOON };
    const { db, session } = openSession(mode, { clock: () => time.now });
    const encryption = new EncryptionService({ key: randomBytes(32) });
    return {
      db,
      session,
      time,
      proxies: new ProxyRepository(session, encryption),
      credentials: new EncryptedCredentialsRepository(session, encryption),
    };
  }

  const INPUT: ProxyInput = { name: 'US Proxy 1', host: '192.168.1.100', port: 8080, protocol: 'http' };

  describe('create refuses', () => {
    const bad: [what: string, change: Record<string, unknown>][] = [
      ['port 0', { port: 0 }],
      ['port 65536', { port: 65_536 }],
      ['port 1.5', { port: 1.5 }],
      ['port NaN', { port: Number.NaN }],
      ['a port in text', { port: '8080' }],
      ['no host', { host: '' }],
      ['an octal IPv4', { host: '010.0.0.1' }],
      ['IPv4 out of range', { host: '1.2.3.256' }],
      ['a short IPv4', { host: '127.1' }],
      ['a host with a port', { host: 'example.com:80' }],
      ['a host with a path', { host: 'example.com/x' }],
      ['a host with a space', { host: 'exa mple.com' }],
      ['a host with a line end', { host: 'example.com\n' }],
      ['a label of 64', { host: `${'a'.repeat(64)}.com` }],
      ['a name of 254', { host: `${'a.'.repeat(127)}com` }],
      ['an IPv6 zone', { host: 'fe80::1%eth0' }],
      ['another protocol', { protocol: 'ftp' }],
      ['another status', { status: 'broken' }],
      ['an empty name', { name: '' }],
      ['a name with a control character', { name: 'a\u0000b' }],
      ['a long name', { name: 'x'.repeat(257) }],
      ['a negative latency', { latency: -1 }],
      ['an infinite latency', { latency: Number.POSITIVE_INFINITY }],
      ['a country in words', { geolocation: { country: 'Germany' } }],
      ['a latitude of 91', { geolocation: { latitude: 91 } }],
      ['an unknown field', { colour: 'red' }],
      ['an empty login', { credentials: { username: '', password: '' } }],
      ['a login with a line end', { credentials: { username: 'a\nb', password: 'x' } }],
    ];
    it.each(bad)('%s, with a typed error and no change', async (_, change) => {
      const { proxies } = open();
      const error = await failureOf(() => proxies.create({ ...INPUT, ...change } as ProxyInput));
      expect(error).toMatchObject({ code: 'INVALID_INPUT' });
      expect(await proxies.count()).toBe(0);
    });

    it('what is no object', async () => {
      const { proxies } = open();
      for (const input of [null, undefined, 7, 'http://h:1', []]) {
        expect(await failureOf(() => proxies.create(input as unknown as ProxyInput))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
    });

    it('credentials without a key, saying what to do', async () => {
      const proxies = new ProxyRepository(openSession(mode).session);
      const error = await failureOf(() =>
        proxies.create({ ...INPUT, credentials: { username: 'u', password: 'canary' } }),
      );
      expect(error).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('EncryptionService'),
      });
      expect(String(error)).not.toContain('canary');
      expect(await proxies.count()).toBe(0);
    });

    it('an id that is taken, naming it', async () => {
      const { proxies } = open();
      await proxies.create({ ...INPUT, id: 'mine' });
      expect(
        await failureOf(() => proxies.create({ ...INPUT, host: 'other.example', id: 'mine' })),
      ).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: 'mine' },
      });
    });

    it('an identity that is taken, naming the proxy that has it', async () => {
      const { proxies } = open();
      const login = { username: 'u', password: 'one' };
      const { id } = await proxies.create({ ...INPUT, credentials: login });
      expect(await failureOf(() => proxies.create({ ...INPUT, credentials: login }))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: id },
      });
      await proxies.create({ ...INPUT, credentials: { username: 'v', password: 'one' } });
      // A session in the password makes another proxy of it.
      await proxies.create({ ...INPUT, credentials: { ...login, password: 'two' } });
      expect(await proxies.count()).toBe(3);
    });
  });

  describe('create', () => {
    it('gives the stored proxy with its defaults', async () => {
      const { proxies } = open();
      const proxy = await proxies.create(INPUT);
      expect(proxy).toEqual({
        id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
        name: 'US Proxy 1',
        host: '192.168.1.100',
        port: 8080,
        protocol: 'http',
        status: 'active',
        latency: null,
        failureCount: 0,
        totalRequests: 0,
        successRate: 100,
        region: null,
        geolocation: null,
        lastUsedAt: null,
        remoteDns: true,
        weight: 1,
        gateway: false,
        createdAt: '2026-05-01T12:00:00.000Z',
        updatedAt: '2026-05-01T12:00:00.000Z',
      });
      expect(await proxies.findById(proxy.id)).toEqual(proxy);
    });

    it('takes no address twice without a login, and takes it beside a login', async () => {
      const { proxies } = open();
      const { id } = await proxies.create(INPUT);
      expect(await failureOf(() => proxies.create(INPUT))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: id },
      });
      await proxies.create({ ...INPUT, credentials: { username: '', password: 'p' } });
      await proxies.create({ ...INPUT, protocol: 'https' });
      expect(await proxies.count()).toBe(3);
    });

    it('normalises hosts', async () => {
      const { proxies } = open();
      const hosts = await inTurn(
        ['EXAMPLE.com.', 'bücher.example', '2001:DB8:0::1', '[::1]', '8.8.8.8'],
        async (host) => (await proxies.create({ ...INPUT, host })).host,
      );
      expect(hosts).toEqual(['example.com', 'xn--bcher-kva.example', '2001:db8::1', '::1', '8.8.8.8']);
    });

    it('keeps region and geolocation, and names a proxy after its address', async () => {
      const { proxies } = open();
      const geolocation = { country: 'DE', city: 'Köln', latitude: 50.9, longitude: 6.9, asn: 3320 };
      const proxy = await proxies.create({
        host: '::1',
        port: 1,
        protocol: 'socks5',
        region: 'EU',
        geolocation,
        latency: 12,
      });
      expect(proxy).toMatchObject({ name: '[::1]:1', region: 'EU', geolocation, latency: 12 });
    });
  });

  describe('createMany', () => {
    it('stores all or none, and says which was wrong', async () => {
      const { proxies } = open();
      const inputs = [INPUT, { ...INPUT, port: 1 }, { ...INPUT, port: 0 }];
      expect(await failureOf(() => proxies.createMany(inputs))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/^Item 3 of the list: /),
        details: { index: 2 },
      });
      expect(await proxies.count()).toBe(0);
      expect(await failureOf(() => proxies.createMany([INPUT, INPUT]))).toMatchObject({
        code: 'CONFLICT',
        details: { index: 1 },
      });
      expect((await proxies.createMany([INPUT, { ...INPUT, port: 1 }])).map(({ id }) => id)).toEqual(
        (await proxies.findAll()).map(({ id }) => id),
      );
    });
  });

  describe('importMany', () => {
    const list: ProxyInput[] = [
      { host: 'a.example', port: 1, protocol: 'http' },
      { host: 'a.example', port: 1, protocol: 'socks5' },
      {
        host: 'gate.example',
        port: 7000,
        protocol: 'http',
        credentials: { username: 's-1', password: 'p1' },
      },
      {
        host: 'gate.example',
        port: 7000,
        protocol: 'http',
        credentials: { username: 's-2', password: 'p1' },
      },
      {
        host: 'GATE.example.',
        port: 7000,
        protocol: 'http',
        credentials: { username: 's-2', password: 'p1' },
      },
    ];

    it('tells one gateway\u2019s usernames apart and changes nothing when it is repeated', async () => {
      const { proxies, db } = open();
      expect(await proxies.importMany(list)).toEqual({ added: 4, updated: 0, unchanged: 1 });
      const before = db.driver.all('SELECT * FROM proxies ORDER BY id', {}, (row) => row);
      expect(await proxies.importMany(list)).toEqual({ added: 0, updated: 0, unchanged: 5 });
      expect(db.driver.all('SELECT * FROM proxies ORDER BY id', {}, (row) => row)).toEqual(before);
    });

    it('stores a new password of a known login', async () => {
      const { proxies, credentials } = open();
      await proxies.importMany(list);
      const renewed = list.map((proxy) =>
        proxy.credentials ? { ...proxy, credentials: { ...proxy.credentials, password: 'p2' } } : proxy,
      );
      expect(await proxies.importMany(renewed)).toEqual({ added: 0, updated: 2, unchanged: 3 });
      const revealed = await inTurn(
        await proxies.findAll(),
        async ({ id }) => (await credentials.reveal(id))?.password ?? null,
      );
      expect(revealed).toEqual([null, null, 'p2', 'p2']);
    });

    it('holds no username or password in clear, anywhere in the database', async () => {
      const { proxies, db } = open();
      await proxies.importMany([
        { ...INPUT, credentials: { username: 'canary-user', password: 'canary-password' } },
      ]);
      const dump = JSON.stringify(
        db.driver.all('SELECT * FROM proxies, encrypted_credentials', {}, (row) => row),
      );
      expect(dump).not.toContain('canary');
    });

    it('reports progress to the end and is one unit', async () => {
      const { proxies } = open();
      const seen: number[] = [];
      const many = Array.from({ length: 25 }, (_, i) => ({
        host: 'h.example',
        port: i + 1,
        protocol: 'http' as const,
      }));
      await proxies.importMany(many, { every: 10, onProgress: (done) => seen.push(done) });
      expect(seen).toEqual([10, 20, 25]);
      expect(
        await failureOf(() =>
          proxies.importMany([
            { ...INPUT, port: 9 },
            { ...INPUT, port: -1 },
          ]),
        ),
      ).toMatchObject({ details: { index: 1 } });
      expect(await proxies.count()).toBe(25);
    });
  });

  describe('reading', () => {
    it('gives null, false and nothing for what is not there', async () => {
      const { proxies } = open();
      expect(await proxies.findById('nobody')).toBeNull();
      expect(await proxies.exists('nobody')).toBe(false);
      expect(await proxies.delete('nobody')).toBe(false);
      expect(await proxies.findByRegion('nowhere')).toEqual([]);
      expect(await proxies.getTopPerformers(5)).toEqual([]);
    });

    it('filters, counts, pages and streams in one stable order', async () => {
      const { proxies } = open();
      const created = await proxies.createMany(
        Array.from({ length: 30 }, (_, i) => ({
          host: `h${i}.example`,
          port: 1 + i,
          protocol: i % 2 === 0 ? ('http' as const) : ('socks5' as const),
          status: i % 3 === 0 ? ('disabled' as const) : ('active' as const),
          region: i < 10 ? 'EU' : 'US',
          name: i === 7 ? '100%_sure' : `proxy ${i}`,
        })),
      );
      const ids = (list: readonly ProxyConfig[]): string[] => list.map(({ id }) => id);
      const expected = (keep: (proxy: ProxyConfig) => boolean): string[] => ids(created.filter(keep)).sort();
      expect(ids(await proxies.findByStatus('disabled'))).toEqual(
        expected(({ status }) => status === 'disabled'),
      );
      expect(ids(await proxies.findByProtocol('socks5'))).toEqual(
        expected(({ protocol }) => protocol === 'socks5'),
      );
      expect(ids(await proxies.findByRegion('EU'))).toEqual(expected(({ region }) => region === 'EU'));
      const filter = { protocol: 'http', region: 'US', status: 'active' } as const;
      const filtered = expected((p) => p.protocol === 'http' && p.region === 'US' && p.status === 'active');
      expect(ids(await listOf(proxies.iterate(filter)))).toEqual(filtered);
      expect(await proxies.count(filter)).toBe(filtered.length);
      expect(ids((await proxies.list({ search: '%_' })).items)).toEqual([created[7]?.id]);
      expect(ids((await proxies.list({ search: 'H29.' })).items)).toEqual([created[29]?.id]);

      const paged: string[] = [];
      let after: string | null = '';
      while (after !== null) {
        const page = await proxies.list({ limit: 7, after });
        paged.push(...ids(page.items));
        after = page.next;
      }
      expect(paged).toEqual(ids(await proxies.findAll()));
    });

    it('refuses invalid limits and filters', async () => {
      const { proxies } = open();
      for (const limit of [0, -1, 1.5, Number.NaN, 1e9]) {
        expect(await failureOf(() => proxies.list({ limit }))).toMatchObject({ code: 'INVALID_INPUT' });
        expect(await failureOf(() => proxies.getTopPerformers(limit))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect(await failureOf(() => proxies.findByStatus('x' as 'active'))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(await failureOf(() => proxies.findById(7 as unknown as string))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    });

    it('names the row whose geolocation is no JSON', async () => {
      const { proxies, db } = open();
      const { id } = await proxies.create(INPUT);
      db.driver.run(`UPDATE proxies SET geolocation_json = '{'`, {});
      expect(await failureOf(() => proxies.findById(id))).toMatchObject({
        code: 'INVALID_ROW',
        details: { table: 'proxies', id },
      });
    });

    it('orders rows of CURRENT_TIMESTAMP among its own and reads them', async () => {
      const { proxies, db } = open();
      db.driver.run(
        `INSERT INTO proxies (id, name, host, port, protocol, created_at) VALUES ('raw', 'n', 'h', 1, 'http', '2026-05-01 12:00:00')`,
        {},
      );
      await proxies.create({ ...INPUT, id: 'ours' });
      expect((await proxies.findById('raw'))?.createdAt).toBe('2026-05-01T12:00:00.000Z');
      const order = db.driver.all('SELECT id FROM proxies ORDER BY created_at', {}, (row) => row.id);
      expect(order).toEqual(['raw', 'ours']);
    });
  });

  describe('update', () => {
    it('changes what is given, keeps the rest, and moves updatedAt', async () => {
      const { proxies, time } = open();
      const proxy = await proxies.create({ ...INPUT, region: 'EU', geolocation: { country: 'DE' } });
      time.now += 1500;
      const updated = await proxies.update(proxy.id, { name: 'new', status: 'disabled' });
      expect(updated).toEqual({
        ...proxy,
        name: 'new',
        status: 'disabled',
        updatedAt: '2026-05-01T12:00:01.500Z',
      });
      expect(await proxies.update(proxy.id, { region: null, geolocation: null })).toMatchObject({
        region: null,
        geolocation: null,
        name: 'new',
      });
      expect(await proxies.update(proxy.id, { ...updated, port: 9 })).toMatchObject({
        port: 9,
        region: 'EU',
      });
    });

    it('refuses a missing id, another id, unknown fields and bad values, and changes nothing', async () => {
      const { proxies } = open();
      const proxy = await proxies.create(INPUT);
      expect(await failureOf(() => proxies.update('nobody', { name: 'x' }))).toMatchObject({
        code: 'NOT_FOUND',
      });
      expect(await failureOf(() => proxies.update('nobody', { port: 5 }))).toMatchObject({
        code: 'NOT_FOUND',
      });
      for (const change of [
        { id: 'other' },
        { port: 0 },
        { host: '' },
        { successRate: 101 },
        { failureCount: -1 },
        { mode: 1 },
        { name: null },
      ]) {
        expect(await failureOf(() => proxies.update(proxy.id, change as Partial<ProxyConfig>))).toMatchObject(
          {
            code: 'INVALID_INPUT',
          },
        );
      }
      expect(await proxies.findById(proxy.id)).toEqual(proxy);
    });

    it('refuses to move a proxy onto another\u2019s identity', async () => {
      const { proxies } = open();
      const [first, second] = await proxies.createMany([
        { ...INPUT, credentials: { username: 'u', password: 'p' } },
        { ...INPUT, port: 9, credentials: { username: 'u', password: 'p' } },
      ]);
      expect(await failureOf(() => proxies.update(String(second?.id), { port: INPUT.port }))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: first?.id },
      });
      expect((await proxies.update(String(second?.id), { port: 10 })).port).toBe(10);
    });
  });

  it('delete takes credentials, sticky sessions and usage with it', async () => {
    const { proxies, db } = open();
    const { id } = await proxies.create({ ...INPUT, credentials: { username: 'u', password: 'p' } });
    await proxies.updateStats(id, true, 5);
    db.driver.run(`INSERT INTO sticky_sessions (domain, proxy_id) VALUES ('a.example', :id)`, { id });
    expect(await proxies.delete(id)).toBe(true);
    for (const table of ['encrypted_credentials', 'sticky_sessions', 'proxy_usage_stats']) {
      expect(db.driver.all(`SELECT * FROM ${table}`, {}, (row) => row)).toEqual([]);
    }
  });

  describe('updateStats', () => {
    it('refuses a missing proxy and latencies that are no time, and stores nothing', async () => {
      const { proxies, db } = open();
      const { id } = await proxies.create(INPUT);
      expect(await failureOf(() => proxies.updateStats('nobody', true))).toMatchObject({ code: 'NOT_FOUND' });
      for (const latency of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number]) {
        expect(await failureOf(() => proxies.updateStats(id, true, latency))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect((await proxies.findById(id))?.totalRequests).toBe(0);
      expect(db.driver.all('SELECT * FROM proxy_usage_stats', {}, (row) => row)).toEqual([]);
    });

    it('agrees with an exact model over any sequence of outcomes', async () => {
      const outcome = fc.record({
        success: fc.boolean(),
        latency: fc.option(fc.nat({ max: 60_000 }), { nil: undefined }),
        pause: fc.nat({ max: 10 * 3_600_000 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(outcome, { maxLength: 60 }), async (outcomes) => {
          const { proxies, session, time } = open();
          const { id } = await proxies.create(INPUT);
          const model = { total: 0, successes: 0, inARow: 0, mean: null as number | null };
          const days = new Map<string, { requests: number; latency: number }>();
          for (const { success, latency, pause } of outcomes) {
            time.now += pause;
            await proxies.updateStats(id, success, latency);
            model.total++;
            model.successes += success ? 1 : 0;
            model.inARow = success ? 0 : model.inARow + 1;
            if (latency !== undefined)
              model.mean = model.mean === null ? latency : model.mean + (latency - model.mean) / 8;
            const day = new Date(time.now).toISOString().slice(0, 10);
            const sums = days.get(day) ?? { requests: 0, latency: 0 };
            days.set(day, { requests: sums.requests + 1, latency: sums.latency + (latency ?? 0) });
          }
          const proxy = await proxies.findById(id);
          expect(proxy?.totalRequests).toBe(model.total);
          expect(proxy?.failureCount).toBe(model.inARow);
          expect(proxy?.successRate).toBeCloseTo(
            model.total === 0 ? 100 : (100 * model.successes) / model.total,
            9,
          );
          if (model.mean === null) expect(proxy?.latency).toBeNull();
          else expect(Math.abs(Number(proxy?.latency) - model.mean)).toBeLessThanOrEqual(0.5 + 1e-9);
          const usage = await new ProxyUsageStatsRepository(session).findByProxy(id);
          expect(
            usage.map(({ date, requestCount, totalLatencyMs }) => [date, requestCount, totalLatencyMs]),
          ).toEqual([...days].map(([date, { requests, latency }]) => [date, requests, latency]));
        }),
        { numRuns: mode === 'sync' ? 60 : 10 },
      );
    });

    it('stays exact over many outcomes', async () => {
      const outcomes = mode === 'sync' ? 100_000 : 1000;
      const { proxies, session } = open();
      const { id } = await proxies.create(INPUT);
      await session.driver.transaction(function* () {
        for (let n = 0; n < outcomes; n++) yield* answer(proxies.updateStats(id, n % 7 !== 0));
      });
      const successRate = 100 - (100 * Math.ceil(outcomes / 7)) / outcomes;
      expect((await proxies.findById(id))?.successRate).toBeCloseTo(successRate, 9);
    });
  });

  describe('the choosing queries', () => {
    it('getTopPerformers: by success rate, then latency, unknown last, only active', async () => {
      const { proxies } = open();
      const make = async (
        name: string,
        successRate: number,
        latency: number | null,
        status: 'active' | 'failed' = 'active',
      ): Promise<void> => {
        const { id } = await proxies.create({ ...INPUT, host: `${name}.example`, name, latency, status });
        await proxies.update(id, { successRate });
      };
      await make('slow', 90, 500);
      await make('unknown', 90, null);
      await make('fast', 90, 10);
      await make('best', 99, null);
      await make('out', 100, 1, 'failed');
      expect((await proxies.getTopPerformers(10)).map(({ name }) => name)).toEqual([
        'best',
        'fast',
        'slow',
        'unknown',
      ]);
      expect((await proxies.getTopPerformers(2)).map(({ name }) => name)).toEqual(['best', 'fast']);
    });

    it('walks an index and sorts nothing', async () => {
      const { proxies, db } = open();
      const heard: string[] = [];
      const logged = openMigrated({ path: ':memory:', verbose: (sql) => heard.push(sql) });
      const listening = new ProxyRepository(logged);
      heard.length = 0;
      await listening.getTopPerformers(3);
      await failureOf(() => listening.resolve('gate'));
      await proxies.createMany(Array.from({ length: 100 }, (_, n) => ({ ...INPUT, port: n + 1 })));
      expect(heard).toHaveLength(3);
      for (const sql of heard) {
        const params = Object.fromEntries([...sql.matchAll(/:(\w+)/g)].map(([, name]) => [String(name), 1]));
        const plan = db.driver
          .all(`EXPLAIN QUERY PLAN ${sql}`, params, (row) => String(row.detail))
          .join('\n');
        expect(plan).toMatch(/USING (?:COVERING )?INDEX (?:idx_proxies_|sqlite_autoindex_proxies_1)/);
        // Of a few matches that were found by an index.
        if (!sql.includes('AS named')) expect(plan).not.toMatch(/TEMP B-TREE/);
        expect(plan).not.toMatch(/SCAN proxies(?! USING)/);
      }
    });
  });
});
