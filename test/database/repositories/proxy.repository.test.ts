import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { ProxyConfig, ProxyInput } from 'proxyvault/database';
import {
  ActiveProxyRepository,
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyUsageStatsRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { openMigrated, thrownBy } from '../../support/temporary.ts';

const NOON = Date.UTC(2026, 4, 1, 12);

function open(): {
  db: ReturnType<typeof openMigrated>;
  proxies: ProxyRepository;
  credentials: EncryptedCredentialsRepository;
  time: { now: number };
} {
  const time = { now: NOON };
  const db = openMigrated({ path: ':memory:', clock: () => time.now });
  const encryption = new EncryptionService({ key: randomBytes(32) });
  return {
    db,
    time,
    proxies: new ProxyRepository(db, encryption),
    credentials: new EncryptedCredentialsRepository(db, encryption),
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
  it.each(bad)('%s, with a typed error and no change', (_, change) => {
    const { proxies } = open();
    const error = thrownBy(() => proxies.create({ ...INPUT, ...change } as ProxyInput));
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    expect(proxies.count()).toBe(0);
  });

  it('what is no object', () => {
    const { proxies } = open();
    for (const input of [null, undefined, 7, 'http://h:1', []]) {
      expect(thrownBy(() => proxies.create(input as unknown as ProxyInput))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
  });

  it('credentials without a key, saying what to do', () => {
    const proxies = new ProxyRepository(openMigrated({ path: ':memory:' }));
    const error = thrownBy(() =>
      proxies.create({ ...INPUT, credentials: { username: 'u', password: 'canary' } }),
    );
    expect(error).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('EncryptionService'),
    });
    expect(String(error)).not.toContain('canary');
    expect(proxies.count()).toBe(0);
  });

  it('an id that is taken, naming it', () => {
    const { proxies } = open();
    proxies.create({ ...INPUT, id: 'mine' });
    expect(thrownBy(() => proxies.create({ ...INPUT, host: 'other.example', id: 'mine' }))).toMatchObject({
      code: 'CONFLICT',
      details: { existingId: 'mine' },
    });
  });

  it('an identity that is taken, naming the proxy that has it', () => {
    const { proxies } = open();
    const login = { username: 'u', password: 'one' };
    const { id } = proxies.create({ ...INPUT, credentials: login });
    expect(thrownBy(() => proxies.create({ ...INPUT, credentials: login }))).toMatchObject({
      code: 'CONFLICT',
      details: { existingId: id },
    });
    proxies.create({ ...INPUT, credentials: { username: 'v', password: 'one' } });
    // A session in the password makes another proxy of it.
    proxies.create({ ...INPUT, credentials: { ...login, password: 'two' } });
    expect(proxies.count()).toBe(3);
  });
});

describe('create', () => {
  it('gives the stored proxy with its defaults', () => {
    const { proxies } = open();
    const proxy = proxies.create(INPUT);
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
      createdAt: '2026-05-01T12:00:00.000Z',
      updatedAt: '2026-05-01T12:00:00.000Z',
    });
    expect(proxies.findById(proxy.id)).toEqual(proxy);
  });

  it('takes no address twice without a login, and takes it beside a login', () => {
    const { proxies } = open();
    const { id } = proxies.create(INPUT);
    expect(thrownBy(() => proxies.create(INPUT))).toMatchObject({
      code: 'CONFLICT',
      details: { existingId: id },
    });
    proxies.create({ ...INPUT, credentials: { username: '', password: 'p' } });
    proxies.create({ ...INPUT, protocol: 'https' });
    expect(proxies.count()).toBe(3);
  });

  it('normalises hosts', () => {
    const { proxies } = open();
    const hosts = ['EXAMPLE.com.', 'bücher.example', '2001:DB8:0::1', '[::1]', '8.8.8.8'].map(
      (host) => proxies.create({ ...INPUT, host }).host,
    );
    expect(hosts).toEqual(['example.com', 'xn--bcher-kva.example', '2001:db8::1', '::1', '8.8.8.8']);
  });

  it('keeps region and geolocation, and names a proxy after its address', () => {
    const { proxies } = open();
    const geolocation = { country: 'DE', city: 'Köln', latitude: 50.9, longitude: 6.9, asn: 3320 };
    const proxy = proxies.create({
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
  it('stores all or none, and says which was wrong', () => {
    const { proxies } = open();
    const inputs = [INPUT, { ...INPUT, port: 1 }, { ...INPUT, port: 0 }];
    expect(thrownBy(() => proxies.createMany(inputs))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^Item 3 of the list: /),
      details: { index: 2 },
    });
    expect(proxies.count()).toBe(0);
    expect(thrownBy(() => proxies.createMany([INPUT, INPUT]))).toMatchObject({
      code: 'CONFLICT',
      details: { index: 1 },
    });
    expect(proxies.createMany([INPUT, { ...INPUT, port: 1 }]).map(({ id }) => id)).toEqual(
      proxies.findAll().map(({ id }) => id),
    );
  });
});

describe('importMany', () => {
  const list: ProxyInput[] = [
    { host: 'a.example', port: 1, protocol: 'http' },
    { host: 'a.example', port: 1, protocol: 'socks5' },
    { host: 'gate.example', port: 7000, protocol: 'http', credentials: { username: 's-1', password: 'p1' } },
    { host: 'gate.example', port: 7000, protocol: 'http', credentials: { username: 's-2', password: 'p1' } },
    { host: 'GATE.example.', port: 7000, protocol: 'http', credentials: { username: 's-2', password: 'p1' } },
  ];

  it('tells one gateway\u2019s usernames apart and changes nothing when it is repeated', () => {
    const { proxies, db } = open();
    expect(proxies.importMany(list)).toEqual({ added: 4, updated: 0, unchanged: 1 });
    const before = db.driver.all('SELECT * FROM proxies ORDER BY id', {}, (row) => row);
    expect(proxies.importMany(list)).toEqual({ added: 0, updated: 0, unchanged: 5 });
    expect(db.driver.all('SELECT * FROM proxies ORDER BY id', {}, (row) => row)).toEqual(before);
  });

  it('stores a new password of a known login', () => {
    const { proxies, credentials } = open();
    proxies.importMany(list);
    const renewed = list.map((proxy) =>
      proxy.credentials ? { ...proxy, credentials: { ...proxy.credentials, password: 'p2' } } : proxy,
    );
    expect(proxies.importMany(renewed)).toEqual({ added: 0, updated: 2, unchanged: 3 });
    const revealed = proxies.findAll().map(({ id }) => credentials.reveal(id)?.password ?? null);
    expect(revealed).toEqual([null, null, 'p2', 'p2']);
  });

  it('holds no username or password in clear, anywhere in the database', () => {
    const { proxies, db } = open();
    proxies.importMany([{ ...INPUT, credentials: { username: 'canary-user', password: 'canary-password' } }]);
    const dump = JSON.stringify(
      db.driver.all('SELECT * FROM proxies, encrypted_credentials', {}, (row) => row),
    );
    expect(dump).not.toContain('canary');
  });

  it('reports progress to the end and is one unit', () => {
    const { proxies } = open();
    const seen: number[] = [];
    const many = Array.from({ length: 25 }, (_, i) => ({
      host: 'h.example',
      port: i + 1,
      protocol: 'http' as const,
    }));
    proxies.importMany(many, { every: 10, onProgress: (done) => seen.push(done) });
    expect(seen).toEqual([10, 20, 25]);
    expect(
      thrownBy(() =>
        proxies.importMany([
          { ...INPUT, port: 9 },
          { ...INPUT, port: -1 },
        ]),
      ),
    ).toMatchObject({ details: { index: 1 } });
    expect(proxies.count()).toBe(25);
  });
});

describe('reading', () => {
  it('gives null, false and nothing for what is not there', () => {
    const { proxies, db } = open();
    const active = new ActiveProxyRepository(db);
    expect(proxies.findById('nobody')).toBeNull();
    expect(proxies.exists('nobody')).toBe(false);
    expect(proxies.delete('nobody')).toBe(false);
    expect(proxies.findByRegion('nowhere')).toEqual([]);
    expect(proxies.getTopPerformers(5)).toEqual([]);
    expect([active.after(''), active.sample(() => 0), active.leastUsed(), active.fastest()]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  it('filters, counts, pages and streams in one stable order', () => {
    const { proxies } = open();
    const created = proxies.createMany(
      Array.from({ length: 30 }, (_, i) => ({
        host: `h${i}.example`,
        port: 1 + i,
        protocol: i % 2 === 0 ? ('http' as const) : ('socks5' as const),
        status: i % 3 === 0 ? ('disabled' as const) : ('active' as const),
        region: i < 10 ? 'EU' : 'US',
        name: i === 7 ? '100%_sure' : `proxy ${i}`,
      })),
    );
    const ids = (list: Iterable<ProxyConfig>): string[] => [...list].map(({ id }) => id);
    const expected = (keep: (proxy: ProxyConfig) => boolean): string[] => ids(created.filter(keep)).sort();
    expect(ids(proxies.findByStatus('disabled'))).toEqual(expected(({ status }) => status === 'disabled'));
    expect(ids(proxies.findByProtocol('socks5'))).toEqual(expected(({ protocol }) => protocol === 'socks5'));
    expect(ids(proxies.findByRegion('EU'))).toEqual(expected(({ region }) => region === 'EU'));
    const filter = { protocol: 'http', region: 'US', status: 'active' } as const;
    const filtered = expected((p) => p.protocol === 'http' && p.region === 'US' && p.status === 'active');
    expect(ids(proxies.iterate(filter))).toEqual(filtered);
    expect(proxies.count(filter)).toBe(filtered.length);
    expect(ids(proxies.list({ search: '%_' }).items)).toEqual([created[7]?.id]);
    expect(ids(proxies.list({ search: 'H29.' }).items)).toEqual([created[29]?.id]);

    const paged: string[] = [];
    let after: string | null = '';
    while (after !== null) {
      const page = proxies.list({ limit: 7, after });
      paged.push(...ids(page.items));
      after = page.next;
    }
    expect(paged).toEqual(ids(proxies.findAll()));
  });

  it('refuses limits and filters that are none', () => {
    const { proxies } = open();
    for (const limit of [0, -1, 1.5, Number.NaN, 1e9]) {
      expect(thrownBy(() => proxies.list({ limit }))).toMatchObject({ code: 'INVALID_INPUT' });
      expect(thrownBy(() => proxies.getTopPerformers(limit))).toMatchObject({ code: 'INVALID_INPUT' });
    }
    expect(thrownBy(() => proxies.findByStatus('x' as 'active'))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(thrownBy(() => proxies.findById(7 as unknown as string))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('names the row whose geolocation is no JSON', () => {
    const { proxies, db } = open();
    const { id } = proxies.create(INPUT);
    db.driver.run(`UPDATE proxies SET geolocation_json = '{'`, {});
    expect(thrownBy(() => proxies.findById(id))).toMatchObject({
      code: 'INVALID_ROW',
      details: { table: 'proxies', id },
    });
  });

  it('orders rows of CURRENT_TIMESTAMP among its own and reads them', () => {
    const { proxies, db } = open();
    db.driver.run(
      `INSERT INTO proxies (id, name, host, port, protocol, created_at) VALUES ('raw', 'n', 'h', 1, 'http', '2026-05-01 12:00:00')`,
      {},
    );
    proxies.create({ ...INPUT, id: 'ours' });
    expect(proxies.findById('raw')?.createdAt).toBe('2026-05-01T12:00:00.000Z');
    const order = db.driver.all('SELECT id FROM proxies ORDER BY created_at', {}, (row) => row.id);
    expect(order).toEqual(['raw', 'ours']);
  });
});

describe('update', () => {
  it('changes what is given, keeps the rest, and moves updatedAt', () => {
    const { proxies, time } = open();
    const proxy = proxies.create({ ...INPUT, region: 'EU', geolocation: { country: 'DE' } });
    time.now += 1500;
    const updated = proxies.update(proxy.id, { name: 'new', status: 'disabled' });
    expect(updated).toEqual({
      ...proxy,
      name: 'new',
      status: 'disabled',
      updatedAt: '2026-05-01T12:00:01.500Z',
    });
    expect(proxies.update(proxy.id, { region: null, geolocation: null })).toMatchObject({
      region: null,
      geolocation: null,
      name: 'new',
    });
    expect(proxies.update(proxy.id, { ...updated, port: 9 })).toMatchObject({ port: 9, region: 'EU' });
  });

  it('refuses a missing id, another id, unknown fields and bad values, and changes nothing', () => {
    const { proxies } = open();
    const proxy = proxies.create(INPUT);
    expect(thrownBy(() => proxies.update('nobody', { name: 'x' }))).toMatchObject({ code: 'NOT_FOUND' });
    expect(thrownBy(() => proxies.update('nobody', { port: 5 }))).toMatchObject({ code: 'NOT_FOUND' });
    for (const change of [
      { id: 'other' },
      { port: 0 },
      { host: '' },
      { successRate: 101 },
      { failureCount: -1 },
      { mode: 1 },
      { name: null },
    ]) {
      expect(thrownBy(() => proxies.update(proxy.id, change as Partial<ProxyConfig>))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
    expect(proxies.findById(proxy.id)).toEqual(proxy);
  });

  it('refuses to move a proxy onto another\u2019s identity', () => {
    const { proxies } = open();
    const [first, second] = proxies.createMany([
      { ...INPUT, credentials: { username: 'u', password: 'p' } },
      { ...INPUT, port: 9, credentials: { username: 'u', password: 'p' } },
    ]);
    expect(thrownBy(() => proxies.update(String(second?.id), { port: INPUT.port }))).toMatchObject({
      code: 'CONFLICT',
      details: { existingId: first?.id },
    });
    expect(proxies.update(String(second?.id), { port: 10 }).port).toBe(10);
  });
});

it('delete takes credentials, sticky sessions and usage with it', () => {
  const { proxies, db } = open();
  const { id } = proxies.create({ ...INPUT, credentials: { username: 'u', password: 'p' } });
  proxies.updateStats(id, true, 5);
  db.driver.run(`INSERT INTO sticky_sessions (domain, proxy_id) VALUES ('a.example', :id)`, { id });
  expect(proxies.delete(id)).toBe(true);
  for (const table of ['encrypted_credentials', 'sticky_sessions', 'proxy_usage_stats']) {
    expect(db.driver.all(`SELECT * FROM ${table}`, {}, (row) => row)).toEqual([]);
  }
});

describe('updateStats', () => {
  it('refuses a missing proxy and latencies that are no time, and stores nothing', () => {
    const { proxies, db } = open();
    const { id } = proxies.create(INPUT);
    expect(thrownBy(() => proxies.updateStats('nobody', true))).toMatchObject({ code: 'NOT_FOUND' });
    for (const latency of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number]) {
      expect(thrownBy(() => proxies.updateStats(id, true, latency))).toMatchObject({ code: 'INVALID_INPUT' });
    }
    expect(proxies.findById(id)?.totalRequests).toBe(0);
    expect(db.driver.all('SELECT * FROM proxy_usage_stats', {}, (row) => row)).toEqual([]);
  });

  it('agrees with an exact model over any sequence of outcomes', () => {
    const outcome = fc.record({
      success: fc.boolean(),
      latency: fc.option(fc.nat({ max: 60_000 }), { nil: undefined }),
      pause: fc.nat({ max: 10 * 3_600_000 }),
    });
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 60 }), (outcomes) => {
        const { proxies, db, time } = open();
        const { id } = proxies.create(INPUT);
        const model = { total: 0, successes: 0, inARow: 0, mean: null as number | null };
        const days = new Map<string, { requests: number; latency: number }>();
        for (const { success, latency, pause } of outcomes) {
          time.now += pause;
          proxies.updateStats(id, success, latency);
          model.total++;
          model.successes += success ? 1 : 0;
          model.inARow = success ? 0 : model.inARow + 1;
          if (latency !== undefined)
            model.mean = model.mean === null ? latency : model.mean + (latency - model.mean) / 8;
          const day = new Date(time.now).toISOString().slice(0, 10);
          const sums = days.get(day) ?? { requests: 0, latency: 0 };
          days.set(day, { requests: sums.requests + 1, latency: sums.latency + (latency ?? 0) });
        }
        const proxy = proxies.findById(id);
        expect(proxy?.totalRequests).toBe(model.total);
        expect(proxy?.failureCount).toBe(model.inARow);
        expect(proxy?.successRate).toBeCloseTo(
          model.total === 0 ? 100 : (100 * model.successes) / model.total,
          9,
        );
        if (model.mean === null) expect(proxy?.latency).toBeNull();
        else expect(Math.abs(Number(proxy?.latency) - model.mean)).toBeLessThanOrEqual(0.5 + 1e-9);
        const usage = new ProxyUsageStatsRepository(db).findByProxy(id);
        expect(
          usage.map(({ date, requestCount, totalLatencyMs }) => [date, requestCount, totalLatencyMs]),
        ).toEqual([...days].map(([date, { requests, latency }]) => [date, requests, latency]));
      }),
      { numRuns: 60 },
    );
  });

  it('stays exact over 100,000 outcomes', () => {
    const { proxies, db } = open();
    const { id } = proxies.create(INPUT);
    db.transaction(() => {
      for (let n = 0; n < 100_000; n++) proxies.updateStats(id, n % 7 !== 0);
    });
    expect(proxies.findById(id)?.successRate).toBeCloseTo(100 - (100 * 14_286) / 100_000, 9);
  });
});

describe('the choosing queries', () => {
  it('getTopPerformers: by success rate, then latency, unknown last, only active', () => {
    const { proxies, db } = open();
    const make = (
      name: string,
      successRate: number,
      latency: number | null,
      status: 'active' | 'failed' = 'active',
    ): void => {
      const { id } = proxies.create({ ...INPUT, host: `${name}.example`, name, latency, status });
      proxies.update(id, { successRate });
    };
    make('slow', 90, 500);
    make('unknown', 90, null);
    make('fast', 90, 10);
    make('best', 99, null);
    make('out', 100, 1, 'failed');
    expect(proxies.getTopPerformers(10).map(({ name }) => name)).toEqual(['best', 'fast', 'slow', 'unknown']);
    expect(proxies.getTopPerformers(2).map(({ name }) => name)).toEqual(['best', 'fast']);
    expect(new ActiveProxyRepository(db).fastest()?.name).toBe('fast');
  });

  it('walk an index and sort nothing', () => {
    const { proxies, db } = open();
    const heard: string[] = [];
    const logged = openMigrated({ path: ':memory:', verbose: (sql) => heard.push(sql) });
    const listening = new ProxyRepository(logged);
    heard.length = 0;
    listening.getTopPerformers(3);
    const active = new ActiveProxyRepository(logged);
    active.fastest();
    active.leastUsed();
    active.after('');
    listening.findByStatus('active');
    proxies.createMany(Array.from({ length: 100 }, (_, n) => ({ ...INPUT, port: n + 1 })));
    expect(heard).toHaveLength(6);
    for (const sql of heard) {
      const params = Object.fromEntries([...sql.matchAll(/:(\w+)/g)].map(([, name]) => [String(name), 1]));
      const plan = db.driver.all(`EXPLAIN QUERY PLAN ${sql}`, params, (row) => String(row.detail)).join('\n');
      expect(plan).toMatch(/USING (?:COVERING )?INDEX idx_proxies_/);
      expect(plan).not.toMatch(/TEMP B-TREE|SCAN proxies(?! USING)/);
    }
  });
});
