import fc from 'fast-check';
import type { ProxyConfig } from 'proxyvault';
import { ActiveProxyRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { expect, it } from 'vitest';
import { listPool } from '../../src/rotation/pool.ts';
import { strategyNamed } from '../../src/rotation/strategies/registry.ts';
import { openMigrated } from '../support/temporary.ts';

it('every strategy chooses alike from a list and from the database', () => {
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
        for (const { status, latency, totalRequests, used } of parts) {
          const { id } = proxies.create({ host: 'h.example', port: 1, protocol: 'http', status, latency });
          proxies.update(id, { totalRequests });
          if (used) active.markUsed(id);
        }
        const all: ProxyConfig[] = proxies.findAll();
        const situation = { previousId: all[previous]?.id ?? '', random: () => random };
        for (const name of ['round-robin', 'random', 'least-used', 'fastest'] as const) {
          const strategy = strategyNamed(name);
          expect(strategy(listPool(all), situation)).toEqual(strategy(active, situation));
        }
      },
    ),
    { numRuns: 60 },
  );
});
