import fc from 'fast-check';
import { expect } from 'vitest';
import { FAILURE_KINDS } from '../../../src/model/outcomes.ts';
import { domain, IDS, session } from './asking.ts';
import { DOMAINS } from './comparison.ts';
import { followAll } from './following.ts';
import {
  abandon,
  endLease,
  endStored,
  passTime,
  proxyOf,
  type Report,
  renew,
  reportProxy,
} from './pool-model.ts';
import type { Model, Out } from './state.ts';
import { codeOf, Step } from './step.ts';

const KINDS = FAILURE_KINDS.filter((kind) => kind !== 'auth');
const failure = fc.record({
  kind: fc.oneof(
    { weight: 15, arbitrary: fc.constantFrom(...KINDS) },
    { weight: 1, arbitrary: fc.constant('auth' as const) },
  ),
  status: fc.constantFrom(undefined, 429),
  retryAfterMs: fc.constantFrom(undefined, undefined, undefined, 5000, 45_000, 10 ** 9),
});
const report: fc.Arbitrary<Report> = fc.record({
  failure: fc.option(failure, { freq: 2, nil: null }),
  latencyMs: fc.nat(50),
  bytes: fc.nat(9),
});
const number = fc.nat(99);

/** The report as a caller gives it. */
function spoken({ failure: failed, latencyMs, bytes }: Report) {
  return failed === null ? { success: true, latencyMs, bytes } : { ...failed, latencyMs, bytes };
}

const open = ({ leases }: Model) => leases.filter(({ state }) => state !== 'reported');
const hasOpen = (model: Model): boolean => open(model).length > 0;

/** Reports a lease, in time or late. */
const end = fc
  .record({ number, report, how: fc.constantFrom('kind' as const, 'report' as const, 'id' as const) })
  .map(
    (told) =>
      new Step(
        'report',
        told,
        (model, real) => {
          const lease = open(model)[told.number % open(model).length];
          const real_ = real.leases.get(lease?.key ?? 0);
          if (lease === undefined || real_ === undefined) return;
          const { failure: failed, latencyMs, bytes } = told.report;
          if (told.how === 'id') {
            // One that has expired is known by its id only where it is stored.
            const stored = model.stored.find(({ key }) => key === lease.key);
            const code = codeOf(() => real.pool.reportLease(real_.id, spoken(told.report)));
            expect(code).toBe(lease.state === 'expired' && stored === undefined ? 'NOT_FOUND' : null);
            if (lease.state === 'held') endLease(model, lease, told.report);
            else if (stored !== undefined) endStored(model, stored, told.report);
            return;
          }
          if (told.how === 'report') real_.report(spoken(told.report));
          else if (failed === null) real_.succeed({ latencyMs, bytes });
          else real_.fail({ ...failed, latencyMs, bytes });
          endLease(model, lease, told.report);
          expect(
            codeOf(() => real_.report(spoken(told.report))),
            'nobody reports it twice',
          ).toBe('INVALID_INPUT');
        },
        hasOpen,
      ),
  );

/** Reports a lease of a process that has ended. */
const endOthers = fc.record({ number, report }).map(
  (told) =>
    new Step(
      'report of another process',
      told,
      (model, real) => {
        const lease = others(model)[told.number % others(model).length];
        if (lease === undefined) return;
        real.pool.reportLease(real.leaseIds.get(lease.key) ?? '', spoken(told.report));
        endStored(model, lease, told.report);
      },
      (model) => others(model).length > 0,
    ),
);
const others = ({ stored, leases }: Model) =>
  stored.filter(({ key }) => !leases.some((lease) => lease.key === key));

const abandonOne = number.map(
  (n) =>
    new Step(
      'abandon',
      n,
      (model, real) => {
        const lease = open(model)[n % open(model).length];
        if (lease === undefined) return;
        real.leases.get(lease.key)?.[Symbol.dispose]();
        abandon(model, lease);
      },
      hasOpen,
    ),
);

const renewOne = fc.record({ number, forMs: fc.constantFrom(undefined, 200, 1_000_000) }).map(
  (told) =>
    new Step(
      'renew',
      told,
      (model, real) => {
        const lease = open(model)[told.number % open(model).length];
        if (lease === undefined) return;
        const code = codeOf(() => real.leases.get(lease.key)?.renew(told.forMs));
        expect(code).toBe(lease.state === 'held' ? null : 'INVALID_INPUT');
        if (lease.state === 'held') renew(model, lease, told.forMs);
      },
      hasOpen,
    ),
);

type Domains = (string | undefined)[];

/** Reports uses without a lease: of one proxy several times, or of several. */
const reportSome = fc
  .record({
    ids: fc.subarray(IDS, { minLength: 1, maxLength: 3 }),
    times: fc.constantFrom(1, 1, 2, 3),
    domains: fc.oneof(
      { weight: 3, arbitrary: domain.map((only): Domains => [only]) },
      { weight: 1, arbitrary: fc.shuffledSubarray<string | undefined>(DOMAINS, { minLength: 3 }) },
    ),
    session,
    report,
  })
  .map(
    (told) =>
      new Step('pool.report', told, async (model, real) => {
        const { bytes: _, ...said } = spoken(told.report);
        const uses = told.ids.flatMap((id) => told.domains.map((of) => ({ id, domain: of })));
        for (const { id, ...only } of uses)
          for (let n = 0; n < told.times; n++) {
            const use = { ...only, session: told.session };
            const proxy = proxyOf(model, id);
            const code = codeOf(() => real.pool.report(id, { ...said, ...use }));
            expect(code).toBe(proxy === undefined ? 'NOT_FOUND' : null);
            if (proxy !== undefined) reportProxy(model, { proxy, ...use }, told.report);
            await followAll(model, real);
          }
      }),
  );

/** Says how it went to try what was out, whoever has tried it. */
const probe = fc.record({ number, report }).map(
  (told) =>
    new Step(
      'report of a probe',
      told,
      (model, real) => {
        const { proxy, scope } = trying(model)[told.number % trying(model).length] as Out;
        const [kind, name] = scope.split(' ');
        const use = {
          domain: kind === 'domain' ? name : undefined,
          session: kind === 'session' ? name : undefined,
        };
        const { bytes: _, ...said } = spoken(told.report);
        real.pool.report(proxy.id, { ...said, ...use });
        reportProxy(model, { proxy, ...use }, told.report);
      },
      (model) => trying(model).length > 0,
    ),
);
const trying = ({ outs }: Model) => outs.filter(({ state }) => state === 'trying');

/** The clock moves on, or is set back. */
const clock = fc
  .oneof(
    { weight: 6, arbitrary: fc.constantFrom(1, 300, 700, 5000, 30_000, 60_000, 120_000) },
    { weight: 1, arbitrary: fc.constantFrom(600_000, 4_000_000) },
    { weight: 1, arbitrary: fc.constantFrom(-1, -20_000, -3_600_000) },
  )
  .map(
    (ms) =>
      new Step('clock', ms, (model, real) => {
        real.time.now += ms;
        passTime(model, real.time.now);
      }),
  );

export const tells = [
  { weight: 10, arbitrary: end },
  { weight: 1, arbitrary: endOthers },
  { weight: 1, arbitrary: abandonOne },
  { weight: 1, arbitrary: renewOne },
  { weight: 3, arbitrary: reportSome },
  { weight: 3, arbitrary: probe },
  { weight: 5, arbitrary: clock },
];
