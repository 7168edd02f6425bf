import fc from 'fast-check';
import { expect } from 'vitest';
import { domain, id } from './asking.ts';
import { expectedTotals, totalsIn } from './comparison.ts';
import {
  changeLogin,
  configure,
  cool,
  deleteProxy,
  newProxy,
  proxyOf,
  reset,
  setStatus,
} from './pool-model.ts';
import { possibleLogs, restart } from './restart.ts';
import { asConfig, change } from './settings.ts';
import type { Model } from './state.ts';
import { codeOf, Step } from './step.ts';

const has =
  (which: string) =>
  (model: Model): boolean =>
    proxyOf(model, which) !== undefined;

const coolOne = fc.record({ id, domain, forMs: fc.constantFrom(400, 20_000, 200_000) }).map(
  (told) =>
    new Step('cool', told, (model, real) => {
      const proxy = proxyOf(model, told.id);
      const { forMs, domain: of } = told;
      const code = codeOf(() => real.pool.cool(told.id, { forMs, domain: of, reason: 'asked' }));
      expect(code).toBe(proxy === undefined ? 'NOT_FOUND' : null);
      if (proxy !== undefined) cool(model, proxy, of, forMs);
    }),
);

const resetSome = fc.uniqueArray(id, { minLength: 1, maxLength: 3 }).map(
  (ids) =>
    new Step('reset', ids, (model, real) => {
      const proxies = ids.map((each) => proxyOf(model, each)).filter((proxy) => proxy !== undefined);
      const isWhole = proxies.length === ids.length;
      expect(codeOf(() => real.pool.reset(ids))).toBe(isWhole ? null : 'NOT_FOUND');
      if (isWhole) for (const proxy of proxies) reset(model, proxy);
    }),
);

const addOrDelete = id.map(
  (which) =>
    new Step('add or delete', which, (model, real) => {
      const proxy = proxyOf(model, which);
      if (proxy === undefined) {
        real.vault.proxies.create({ id: which, host: `${which}.example`, port: 8080, protocol: 'http' });
        model.proxies.push(newProxy(which));
      } else {
        real.vault.proxies.delete(which);
        deleteProxy(model, proxy);
      }
    }),
);

const changeStatus = fc
  .record({
    id,
    status: fc.constantFrom(
      'active' as const,
      'active' as const,
      'disabled' as const,
      'failed' as const,
      'checking' as const,
    ),
  })
  .map(
    ({ id: which, status }) =>
      new Step(
        'status',
        { which, status },
        (model, real) => {
          const proxy = proxyOf(model, which);
          if (proxy === undefined) return;
          real.vault.proxies.update(which, { status });
          setStatus(model, proxy, status);
        },
        has(which),
      ),
  );

const changeGateway = fc.record({ id, gateway: fc.boolean() }).map(
  ({ id: which, gateway }) =>
    new Step(
      'gateway',
      { which, gateway },
      (model, real) => {
        real.vault.proxies.update(which, { gateway });
        Object.assign(proxyOf(model, which) ?? {}, { isGateway: gateway });
      },
      has(which),
    ),
);

const newLogin = id.map(
  (which) =>
    new Step(
      'login',
      which,
      (model, real) => {
        const proxy = proxyOf(model, which);
        real.vault.credentials.store(which, { username: 'me', password: 'new' });
        if (proxy !== undefined) changeLogin(model, proxy);
      },
      has(which),
    ),
);

const changeConfig = change.map(
  (changed) =>
    new Step('config', changed, (model, real) => {
      real.vault.config.update(asConfig(changed));
      configure(model, changed);
    }),
);

const blockDomain = fc.constantFrom('y.example', 'z.example').map(
  (which) =>
    new Step('block or not', which, (model, real) => {
      const rule = real.vault.rules.findAll().find(({ name }) => name === which);
      if (rule !== undefined) real.vault.rules.delete(rule.id);
      else
        real.vault.rules.create({
          name: which,
          conditions: [{ field: 'domain', operator: 'equals', value: which }],
          actions: [{ type: 'block' }],
        });
      if (!model.blockedDomains.delete(which)) model.blockedDomains.add(which);
    }),
);

/** With other weights the whole pool is read again, and each proxy may have another place in memory. */
const reload = fc.integer({ min: 1, max: 1000 }).map(
  (weight) =>
    new Step('weights', weight, (_, real) => {
      real.vault.config.update({ options: { weights: { a: weight } } });
    }),
);

const flush = fc.constant(
  new Step('flush', null, (model, real) => {
    real.pool.flush();
    for (const outcome of model.log) outcome.isBatched = false;
    expect(totalsIn(real)).toEqual(expectedTotals(model));
  }),
);

const reopen = fc.constant(
  new Step('close and reopen', null, async (model, real) => {
    await real.reopen();
    restart(model);
    expect(totalsIn(real)).toEqual(expectedTotals(model));
  }),
);

/** Of the outcomes that were batched, the last may be gone, but no more than the configuration allows. */
const crash = fc.constant(
  new Step('crash and reopen', null, async (model, real) => {
    await real.crash();
    const stored = JSON.stringify(sorted(totalsIn(real)));
    const log = possibleLogs(model).find(
      (each) => JSON.stringify(sorted(expectedTotals(model, each))) === stored,
    );
    if (log === undefined) expect(totalsIn(real)).toEqual(expectedTotals(model));
    model.log = log ?? [];
    restart(model);
  }),
);

export const cares = [
  { weight: 1, arbitrary: coolOne },
  { weight: 1, arbitrary: resetSome },
  { weight: 2, arbitrary: addOrDelete },
  { weight: 1, arbitrary: changeStatus },
  { weight: 1, arbitrary: changeGateway },
  { weight: 2, arbitrary: newLogin },
  { weight: 2, arbitrary: changeConfig },
  { weight: 1, arbitrary: blockDomain },
  { weight: 1, arbitrary: reload },
  { weight: 1, arbitrary: flush },
  { weight: 1, arbitrary: reopen },
  { weight: 1, arbitrary: crash },
];

function sorted(totals: Record<string, object>) {
  return Object.entries(totals)
    .map(([which, counts]) => [which, Object.entries(counts).sort()] as const)
    .sort(([some], [other]) => (some < other ? -1 : 1));
}
