import fc from 'fast-check';
import type { ProxyConfig } from 'proxyvault';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { expect, it } from 'vitest';
import { ActiveProxyRepository } from '../../src/database/repositories/active-proxy.repository.ts';
import { listPool } from '../../src/rotation/pool.ts';
import { strategyNamed } from '../../src/rotation/strategies/registry.ts';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { openMigrated } from '../support/temporary.ts';

it('every strategy but random chooses alike from a list and from the database', () => {
  const proxy = fc.record({
    status: fc.constantFrom('active' as const, 'active' as const, 'failed' as const),
    latency: fc.option(fc.nat({ max: 5 })),
    totalRequests: fc.nat({ max: 3 }),
    used: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(proxy, { maxLength: 6 }),
      fc.nat({ max: 6 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (parts, previous, random) => {
        let now = Date.UTC(2026, 0, 1);
        const db = openMigrated({ path: ':memory:', clock: () => now++ });
        const proxies = new ProxyRepository(db);
        const active = new ActiveProxyRepository(db);
        for (const [index, { status, latency, totalRequests, used }] of parts.entries()) {
          const address = { host: 'h.example', port: index + 1 };
          const { id } = proxies.create({ ...address, protocol: 'http', status, latency });
          proxies.update(id, { totalRequests });
          if (used) active.markUsed(id);
        }
        const all: ProxyConfig[] = proxies.findAll();
        const situation = { previousId: all[previous]?.id ?? '', random: () => random };
        for (const name of ['round-robin', 'least-used', 'fastest'] as const) {
          const strategy = strategyNamed(name);
          expect(strategy(listPool(all), situation)).toEqual(strategy(active, situation));
        }
      },
    ),
    { numRuns: 60 },
  );
});

it(`random draws every active proxy as often as the others, and no other, however many are out or gone (seed ${SEED})`, () => {
  const random = new Random(SEED);
  for (const out of [0.5, 0.99]) {
    const db = openMigrated({ path: ':memory:' });
    const proxies = new ProxyRepository(db);
    const made = proxies.createMany(
      Array.from({ length: 1000 }, (_, i) => ({ host: 'h.example', port: i + 1, protocol: 'http' as const })),
    );
    for (const [index, { id }] of made.entries()) {
      if (index >= 1000 * out) continue;
      if (index % 2 === 0) proxies.delete(id);
      else proxies.update(id, { status: 'failed' });
    }
    // A row that plain SQL wrote takes part too.
    db.driver.exec(
      `INSERT INTO proxies (id, name, host, port, protocol) VALUES ('plain', 'n', 'h', 1, 'http')`,
    );
    const active = proxies.findByStatus('active').map(({ id }) => id);
    const drawn = new Map<string, number>();
    for (const pool of [new ActiveProxyRepository(db), listPool(proxies.findAll())]) {
      for (let n = 0; n < active.length * 100; n++) {
        const id = pool.sample(() => random.next())?.id ?? 'none';
        drawn.set(id, (drawn.get(id) ?? 0) + 1);
      }
    }
    expect([...drawn.keys()].sort()).toEqual([...active].sort());
    // 200 expected each; seven standard deviations of the binomial distribution.
    for (const n of drawn.values()) expect(Math.abs(n - 200)).toBeLessThan(100);
  }
});
