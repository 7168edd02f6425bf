import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ProxyInput, Rotator } from 'proxyvault';
import type { RotationRule } from 'proxyvault/database';
import {
  ProxyRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  type RotationRuleInput,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

function open(
  count = 3,
  input: Partial<ProxyInput> = {},
): {
  db: ReturnType<typeof openMigrated>;
  rotator: Rotator;
  proxies: ProxyRepository;
  config: RotationConfigRepository;
  events: RotationEventsRepository;
  sticky: StickySessionRepository;
  rules: RotationRulesRepository;
  ids: string[];
  time: { now: number };
} {
  const time = { now: Date.UTC(2026, 0, 1, 12) };
  const db = openMigrated({ path: ':memory:', clock: () => time.now });
  const proxies = new ProxyRepository(db);
  const ids = proxies
    .createMany(
      Array.from({ length: count }, (_, i) => ({
        host: 'h.example',
        port: i + 1,
        protocol: 'http' as const,
        ...input,
      })),
    )
    .map(({ id }) => id);
  return {
    db,
    proxies,
    ids,
    time,
    rotator: new Rotator(db),
    config: new RotationConfigRepository(db),
    events: new RotationEventsRepository(db),
    sticky: new StickySessionRepository(db),
    rules: new RotationRulesRepository(db),
  };
}

describe('an empty pool', () => {
  it('is NO_PROXY, never a direct connection, and changes nothing', () => {
    const { rotator, proxies, events, ids } = open(1);
    proxies.update(String(ids[0]), { status: 'disabled' });
    for (const request of [{}, { domain: 'a.example' }, { region: 'EU' }, { protocol: 'socks5' as const }]) {
      expect(thrownBy(() => rotator.next(request))).toMatchObject({ code: 'NO_PROXY' });
    }
    expect(events.count()).toBe(0);
  });

  it('refuses a field that there is not, rather than pass it over', () => {
    const { rotator, ids } = open();
    expect(thrownBy(() => rotator.next({ Domain: 'a.example' } as object))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(
      thrownBy(() => rotator.report(String(ids[0]), { success: true, latency: 5 } as never)),
    ).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('refuses an invalid domain or URL', () => {
    const { rotator } = open();
    for (const request of [{ domain: 'a b' }, { url: 'nonsense' }, { url: 'file:///x' }]) {
      expect(thrownBy(() => rotator.next(request))).toMatchObject({ code: 'INVALID_INPUT' });
    }
  });
});

describe('round-robin', () => {
  it('takes each in turn, begins again, and notes why', () => {
    const { rotator, ids, events, proxies, time } = open();
    expect(Array.from({ length: 7 }, () => rotator.next().id)).toEqual([...ids, ...ids, ids[0]]);
    const [last, ...rest] = events.recent();
    expect(last).toMatchObject({ previousProxyId: ids[2], newProxyId: ids[0], reason: 'scheduled' });
    expect(rest.at(-1)).toMatchObject({ previousProxyId: null, newProxyId: ids[0], reason: 'startup' });
    const handed = rotator.next();
    expect(handed.lastUsedAt).toBe(new Date(time.now).toISOString());
    expect(proxies.findById(handed.id)).toEqual(handed);
  });

  it('continues where it was after a removal, a failure and a restart', () => {
    const { db, rotator, ids, proxies } = open(4);
    rotator.next();
    rotator.next();
    proxies.delete(String(ids[1]));
    proxies.update(String(ids[2]), { status: 'failed' });
    expect(new Rotator(db).next().id).toBe(ids[3]);
    expect(new Rotator(db).next().id).toBe(ids[0]);
  });

  it('never gives two processes the same turn', async () => {
    const path = join(temporaryFolder(), 'pool.db');
    const db = openMigrated({ path });
    const proxies = new ProxyRepository(db);
    proxies.createMany(
      Array.from({ length: 200 }, (_, i) => ({ host: 'h.example', port: i + 1, protocol: 'http' as const })),
    );
    const script = `
      import { initDatabase, Rotator } from 'proxyvault';
      const db = initDatabase({ path: ${JSON.stringify(path)}, busyTimeoutMs: 20000 });
      const rotator = new Rotator(db);
      for (let n = 0; n < 25; n++) console.log(rotator.next().id);
      db.close();`;
    const outputs = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let output = '';
        child.stdout.on('data', (chunk) => {
          output += chunk;
        });
        await once(child, 'close');
        return output.trim().split('\n');
      }),
    );
    expect(outputs.flat().sort()).toEqual(proxies.findAll().map(({ id }) => id));
  });
});

describe('the other strategies', () => {
  it('random: any, each about as often', () => {
    const { rotator, config, ids } = open(4);
    config.setStrategy('random');
    const counts = new Map<string, number>();
    for (let n = 0; n < 2000; n++) {
      const { id } = rotator.next();
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(ids);
    // 500 expected; seven standard deviations of the binomial distribution.
    for (const n of counts.values()) expect(Math.abs(n - 500)).toBeLessThan(136);
  });

  it('random: the ends of its range', () => {
    const { db, config, ids } = open(3);
    config.setStrategy('random');
    expect(new Rotator(db, { random: () => 0 }).next().id).toBe(ids[0]);
    expect(new Rotator(db, { random: () => 0.999999999 }).next().id).toBe(ids[2]);
  });

  it('least-used: the fewest requests, of equal ones the one unused for longest', () => {
    const { rotator, config, ids, time } = open(3);
    config.setStrategy('least-used');
    const next = (): string => {
      time.now += 10;
      return rotator.next().id;
    };
    expect([next(), next(), next(), next()]).toEqual([...ids, ids[0]]);
    for (const id of ids.slice(0, 2)) rotator.report(id, { success: true });
    expect([next(), next()]).toEqual([ids[2], ids[2]]);
  });

  it('fastest: the lowest latency, unknown last', () => {
    const { rotator, config, ids } = open(3);
    config.setStrategy('fastest');
    rotator.report(String(ids[1]), { success: true, latencyMs: 80 });
    rotator.report(String(ids[2]), { success: true, latencyMs: 40 });
    expect(rotator.next().id).toBe(ids[2]);
    rotator.report(String(ids[2]), { success: true, latencyMs: 4000 });
    expect(rotator.next().id).toBe(ids[1]);
  });

  it('those that this version cannot choose by are refused by name', () => {
    const { rotator, config } = open();
    for (const strategy of ['failure-aware', 'weighted', 'geographic', 'time-based', 'custom'] as const) {
      config.setStrategy(strategy);
      expect(thrownBy(() => rotator.next())).toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringContaining(strategy),
      });
    }
  });

  it('an interval keeps the proxy until it is over', () => {
    const { rotator, config, ids, time, proxies } = open();
    config.update({ intervalMs: 1000 });
    expect([rotator.next().id, rotator.next().id]).toEqual([ids[0], ids[0]]);
    time.now += 999;
    expect(rotator.next().id).toBe(ids[0]);
    time.now += 1;
    expect(rotator.next().id).toBe(ids[1]);
    proxies.update(String(ids[1]), { status: 'failed' });
    expect(rotator.next().id).toBe(ids[2]);
  });

  it('choose within a protocol and region', () => {
    const { rotator, proxies, config, ids } = open(3);
    const socks = proxies.create({ host: 's.example', port: 1, protocol: 'socks5', region: 'EU' }).id;
    proxies.update(String(ids[1]), { region: 'EU' });
    for (const strategy of ['round-robin', 'random', 'least-used', 'fastest'] as const) {
      config.setStrategy(strategy);
      expect(rotator.next({ protocol: 'socks5' }).id).toBe(socks);
      expect(rotator.next({ protocol: 'http', region: 'EU' }).id).toBe(ids[1]);
      expect([socks, ids[1]]).toContain(rotator.next({ region: 'EU' }).id);
    }
    expect(thrownBy(() => rotator.next({ region: 'US' }))).toMatchObject({ code: 'NO_PROXY' });
  });
});

describe('excluded proxies', () => {
  it('are passed over by every strategy, in any pool', () => {
    for (const strategy of ['round-robin', 'random', 'least-used', 'fastest', 'sticky-session'] as const) {
      for (const request of [{}, { region: 'EU' }, { protocol: 'http' as const }]) {
        const { rotator, config, ids } = open(5, { region: 'EU' });
        config.update({ strategy });
        const [first, second, , fourth, fifth] = ids as [string, string, string, string, string];
        const left = new Set([first, second]);
        const exclude = new Set(ids.filter((id) => !left.has(id)));
        const given = Array.from({ length: 40 }, () => rotator.next({ ...request, exclude }).id);
        if (['round-robin', 'random'].includes(strategy)) expect(new Set(given)).toEqual(left);
        else expect(given.every((id) => left.has(id))).toBe(true);
        // The wish is that of one request; ids that there are not change nothing.
        const others = [first, second, fourth, fifth, 'unknown'];
        expect(rotator.next({ ...request, exclude: others }).id).toBe(ids[2]);
      }
    }
  });

  it('are not handed out for a rule, an interval or a domain that sticks, which then sticks to the new one', () => {
    const { rotator, config, sticky, rules, ids } = open(2);
    const [first = '', second = ''] = ids;
    sticky.create({ domain: 'a.example', proxyId: first });
    expect(rotator.next({ domain: 'a.example', exclude: [first] }).id).toBe(second);
    expect(rotator.next({ domain: 'a.example' }).id).toBe(second);
    config.update({ intervalMs: 60_000 });
    const { id } = rotator.next();
    expect(rotator.next().id).toBe(id);
    expect(rotator.next({ exclude: [id] }).id).not.toBe(id);
    rules.create({
      name: 'one',
      conditions: [{ field: 'domain', operator: 'equals', value: 'b.example' }],
      actions: [{ type: 'use-proxy', proxyId: first }],
    });
    expect(thrownBy(() => rotator.next({ domain: 'b.example', exclude: [first] }))).toMatchObject({
      code: 'NO_PROXY',
      message: expect.stringContaining('excluded'),
    });
  });

  it('leave NO_PROXY if there are no others, and change nothing', () => {
    const { rotator, events, ids } = open();
    for (const request of [{}, { protocol: 'http' as const }])
      expect(thrownBy(() => rotator.next({ ...request, exclude: ids }))).toMatchObject({
        code: 'NO_PROXY',
        message: expect.stringContaining('that is not excluded'),
      });
    expect(events.count()).toBe(0);
  });

  it('are ids: anything else is INVALID_INPUT', () => {
    const { rotator, ids } = open();
    for (const exclude of [ids[0], 1, {}, null, [1], [undefined], [[ids[0]]]])
      expect(thrownBy(() => rotator.next({ exclude } as never))).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('sticky domains', () => {
  it('keep their proxy and do not move the turn', () => {
    const { rotator, sticky, ids, events } = open();
    sticky.create({ domain: '*.example.com', proxyId: String(ids[2]) });
    rotator.next();
    for (const domain of ['a.example.com', 'b.a.example.com'])
      expect(rotator.next({ domain }).id).toBe(ids[2]);
    expect(rotator.next({ url: 'https://A.example.com:8443/x?y' }).id).toBe(ids[2]);
    expect(rotator.next({ domain: 'example.com' }).id).toBe(ids[1]);
    expect(sticky.findByDomain('a.example.com')?.requestCount).toBe(4);
    expect(events.count()).toBe(2);
  });

  it('move to another when theirs is out, and stay there', () => {
    const { rotator, sticky, ids, proxies, events } = open();
    sticky.create({ domain: 'a.example', proxyId: String(ids[0]) });
    proxies.update(String(ids[0]), { status: 'failed' });
    const moved = rotator.next({ domain: 'a.example' }).id;
    expect(moved).toBe(ids[1]);
    expect(rotator.next({ domain: 'a.example' }).id).toBe(moved);
    expect(sticky.findByDomain('a.example')?.proxyId).toBe(moved);
    expect(events.count()).toBe(1);
  });

  it('are made by the strategy sticky-session, with its ttl', () => {
    const { rotator, config, sticky, ids, time } = open();
    config.update({ strategy: 'sticky-session', options: { stickyTtlMs: 1000 } });
    expect(rotator.next({ domain: 'a.example' }).id).toBe(ids[0]);
    expect(rotator.next({ domain: 'b.example' }).id).toBe(ids[1]);
    expect(rotator.next({ domain: 'a.example' }).id).toBe(ids[0]);
    expect(sticky.findByDomain('a.example')).toMatchObject({ ttl: 1000, requestCount: 2 });
    time.now += 1000;
    expect(rotator.next({ domain: 'a.example' }).id).toBe(ids[2]);
  });
});

describe('report', () => {
  it('takes a proxy out at the threshold, notes it, and takes it back after a success', () => {
    const { rotator, config, proxies, events, ids } = open();
    config.update({ failureThreshold: 2 });
    const id = String(ids[0]);
    rotator.report(id, { success: false });
    expect(proxies.findById(id)?.status).toBe('active');
    rotator.report(id, { success: false });
    expect(proxies.findById(id)).toMatchObject({ status: 'failed', failureCount: 2 });
    expect(events.last()).toMatchObject({ previousProxyId: id, newProxyId: null, reason: 'failure' });
    expect(rotator.next().id).toBe(ids[1]);
    rotator.report(id, { success: true, latencyMs: 5 });
    expect(proxies.findById(id)).toMatchObject({ status: 'active', failureCount: 0 });
  });

  it('never takes one out without a threshold, and leaves one that is switched off', () => {
    const { rotator, config, proxies, ids } = open();
    const id = String(ids[0]);
    for (let n = 0; n < 50; n++) rotator.report(id, { success: false });
    expect(proxies.findById(id)?.status).toBe('active');
    config.update({ failureThreshold: 1 });
    proxies.update(id, { status: 'disabled' });
    rotator.report(id, { success: false });
    rotator.report(id, { success: true });
    expect(proxies.findById(id)?.status).toBe('disabled');
    expect(thrownBy(() => rotator.report('nobody', { success: true }))).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('rules', () => {
  const when = (field: string, operator: string, value: unknown): RotationRule['conditions'] =>
    [{ field, operator, value }] as RotationRule['conditions'];

  it('block, name a proxy, a region, a protocol or a strategy', () => {
    const { rotator, rules, proxies, ids, config } = open();
    const socks = proxies.create({ host: 's.example', port: 1, protocol: 'socks5', region: 'EU' }).id;
    const add = (name: string, actions: RotationRuleInput['actions']): void => {
      rules.create({ name, conditions: when('domain', 'equals', `${name}.example`), actions });
    };
    add('blocked', [{ type: 'block' }]);
    add('proxy', [{ type: 'use-proxy', proxyId: String(ids[2]) }]);
    add('region', [{ type: 'use-region', region: 'EU' }]);
    add('protocol', [{ type: 'use-protocol', protocol: 'socks5' }]);
    add('strategy', [{ type: 'use-strategy', strategy: 'fastest' }]);
    expect(thrownBy(() => rotator.next({ domain: 'blocked.example' }))).toMatchObject({
      code: 'NO_PROXY',
      message: expect.stringContaining('blocked'),
    });
    expect(rotator.next({ domain: 'proxy.example' }).id).toBe(ids[2]);
    expect(rotator.next({ domain: 'region.example' }).id).toBe(socks);
    expect(rotator.next({ domain: 'protocol.example' }).id).toBe(socks);
    rotator.report(String(ids[1]), { success: true, latencyMs: 1 });
    config.setStrategy('random');
    expect(rotator.next({ domain: 'strategy.example' }).id).toBe(ids[1]);
    proxies.update(String(ids[2]), { status: 'disabled' });
    expect(thrownBy(() => rotator.next({ domain: 'proxy.example' }))).toMatchObject({ code: 'NO_PROXY' });
  });

  it('stop everything while an enabled one cannot be read, since it may be the one that blocks', () => {
    const { rotator, rules, db, events } = open();
    db.driver.run(
      `INSERT INTO rotation_rules (id, name, conditions_json, actions_json) VALUES ('broken', 'n', '{', '[]')`,
      {},
    );
    expect(thrownBy(() => rotator.next())).toMatchObject({ code: 'INVALID_ROW', details: { id: 'broken' } });
    expect(events.count()).toBe(0);
    rules.setEnabled('broken', false);
    rotator.next();
  });

  it('see the hour and weekday in UTC', () => {
    const { rotator, rules, ids, time } = open();
    rules.create({
      name: 'noon',
      conditions: when('hour', 'between', [12, 13]),
      actions: [{ type: 'use-proxy', proxyId: String(ids[2]) }],
    });
    expect(rotator.next().id).toBe(ids[2]);
    time.now += 2 * 3_600_000;
    expect(rotator.next().id).toBe(ids[0]);
  });
});
