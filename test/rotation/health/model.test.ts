import fc from 'fast-check';
import { expect, it } from 'vitest';

import { FAILURE_KINDS, type FailureKind } from '../../../src/model/outcomes.ts';
import type { HealthChange, Scope, Use } from '../../../src/rotation/health/circuit.ts';
import type { Health } from '../../../src/rotation/health/health.ts';
import { openHealth } from './setup.ts';

const SLOTS = 8;
const DOMAINS = ['a.example', 'b.example', 'c.example', 'd.example', null];
const SESSIONS = ['s', 't', null];
/** The last two slots are gateways. */
const isGateway = (slot: number) => slot >= SLOTS - 2;

/** Short times, so that everything happens. */
const OPTIONS = {
  slots: SLOTS,
  cooldownMs: 30,
  maxCooldownMs: 200,
  blockedMs: 50,
  maxRetryAfterMs: 300,
  domainProxies: 3,
  domainWindowMs: 100,
  outlierRequests: 8,
  outlierHosts: 3,
  outlierIntervalMs: 100,
  outlierPercent: 100,
  jitter: 0.1,
};

type Step =
  | { do: 'succeed'; use: Use }
  | { do: 'fail'; use: Use; kind: FailureKind; retryAfterMs: number | undefined }
  | { do: 'wait'; ms: number }
  | { do: 'cool'; slot: number; forMs: number | null; scope: Scope }
  | { do: 'reset'; slot: number }
  | { do: 'begin'; slot: number; isProven: boolean };

const slot = fc.nat(SLOTS - 1);
const use = fc
  .record({ slot, domain: fc.constantFrom(...DOMAINS), session: fc.constantFrom(...SESSIONS) })
  .map((of): Use => ({ ...of, isGateway: isGateway(of.slot) }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('succeed' as const), use }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      use,
      kind: fc.constantFrom(...FAILURE_KINDS.filter((kind) => kind !== 'auth')),
      retryAfterMs: fc.oneof(
        { weight: 9, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.nat(500) },
      ),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(80) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      use,
      kind: fc.constant('auth' as const),
      retryAfterMs: fc.constant(undefined),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('cool' as const),
      slot,
      forMs: fc.option(fc.nat(100)),
      scope: fc.constantFrom<Scope>('', 'domain a.example'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), slot }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin' as const), slot, isProven: fc.boolean() }) },
);

/** Does a step at a time. `to` gives the slot that the health knows by another number. */
function act(health: Health, each: Step, now: number, to: (slot: number) => number): readonly HealthChange[] {
  switch (each.do) {
    case 'succeed':
      return health.succeeded({ ...each.use, slot: to(each.use.slot) }, now);
    case 'fail':
      return health.failed(
        { ...each.use, slot: to(each.use.slot) },
        { kind: each.kind, retryAfterMs: each.retryAfterMs },
        now,
      ).changes;
    case 'cool': {
      const { scope, forMs } = each;
      const until = forMs === null ? null : now + forMs;
      const person = {
        scope,
        source: 'person',
        kind: 'manual',
        times: 1,
        since: now,
        until,
        detail: null,
      } as const;
      health.restore(to(each.slot), person, now);
      return [];
    }
    case 'reset':
      return health.reset(to(each.slot));
    case 'begin':
      health.begin(to(each.slot), each.isProven);
      return [];
    case 'wait':
      return health.nextDue <= now ? health.advance(now, SLOTS) : [];
  }
}

const SCOPES: Scope[] = [
  '',
  ...DOMAINS.filter((domain) => domain !== null).map((domain): Scope => `domain ${domain}`),
  ...SESSIONS.filter((session) => session !== null).map((session): Scope => `session ${session}`),
];

function outFor(health: Health, scope: Scope, at: number): boolean {
  if (scope === '') return health.isOut(at);
  const [kind, name] = scope.split(' ') as ['domain' | 'session', string];
  return health.outFor(kind, name)?.has(at) ?? false;
}

it('says the same of what is out everywhere, and nothing is out without an end but by a person or for a login', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const { health } = openHealth(OPTIONS);
      let now = 1000;
      for (const each of steps) {
        if (each.do === 'wait') now += each.ms;
        act(health, each, now, (at) => at);
        if (each.do === 'wait') expect(health.nextDue).toBeGreaterThan(now);
        let scopesOut = 0;
        let cooling = 0;
        for (let at = 0; at < SLOTS; at++) {
          for (const scope of SCOPES) {
            const cooldown = health.cooldownOf(at, scope);
            expect(cooldown !== null).toBe(outFor(health, scope, at));
            if (cooldown === null) continue;
            if (scope === '') cooling++;
            else scopesOut++;
            const { until, source, kind } = cooldown;
            if (until === null) expect(source === 'person' || kind === 'auth').toBe(true);
            else expect(health.nextDue).toBeLessThanOrEqual(until);
            if (until !== null && source === 'engine')
              expect(until - cooldown.since).toBeLessThanOrEqual(300);
          }
        }
        const counts = health.counts();
        expect(counts.scopesOut).toBe(scopesOut);
        expect(Object.values(counts.cooling).reduce((sum, count) => sum + count, 0)).toBe(cooling);
        expect(counts.ramping).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});

it('tells each change: who stores the rows of the changes has what is out, and the same after a restart', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const { health } = openHealth(OPTIONS);
      const rows = new Map<string, HealthChange>();
      let now = 1000;
      for (const each of steps) {
        if (each.do === 'wait') now += each.ms;
        if (each.do === 'begin' || each.do === 'cool') continue;
        for (const change of act(health, each, now, (at) => at)) {
          const key = `${change.slot} ${change.scope}`;
          if (change.state === 'recovered') rows.delete(key);
          else rows.set(key, change);
        }
      }
      const after = openHealth(OPTIONS).health;
      for (const { slot: at, state: _, ...row } of rows.values()) after.restore(at, row, now);
      for (let at = 0; at < SLOTS; at++) {
        for (const scope of SCOPES) {
          const known = health.cooldownOf(at, scope);
          // What is over, and was not looked at yet, is over after a restart.
          const isOver = known?.until != null && known.until <= now;
          expect(after.cooldownOf(at, scope)).toEqual(isOver ? null : known);
        }
        const row = rows.get(`${at} `);
        if (row?.state === 'probing') expect([health.allowance(at), after.allowance(at)]).toEqual([1, 1]);
      }
    }),
  );
});

it('is the same whatever numbers the slots have, and gives the same for the same', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.array(step, { maxLength: 120 }),
      fc.shuffledSubarray([...Array(SLOTS * 2).keys()], { minLength: SLOTS, maxLength: SLOTS }),
      (before, after, numbers) => {
        const one = openHealth(OPTIONS);
        const other = openHealth(OPTIONS);
        let now = 1000;
        const known = new Map(numbers.map((number, at) => [number, at]));
        const compare = (
          steps: readonly Step[],
          to: (at: number) => number,
          from: (at: number) => number,
        ) => {
          for (const each of steps) {
            if (each.do === 'wait') now += each.ms;
            const expected = act(one.health, each, now, (at) => at);
            const given = act(other.health, each, now, to).map((change) => ({
              ...change,
              slot: from(change.slot),
            }));
            expect(given).toHaveLength(expected.length);
            expect(given).toEqual(expect.arrayContaining([...expected]));
            expect(other.health.nextDue).toBe(one.health.nextDue);
            for (let at = 0; at < SLOTS; at++) {
              expect(other.health.allowance(to(at))).toBe(one.health.allowance(at));
              expect(other.health.isOut(to(at))).toBe(one.health.isOut(at));
            }
          }
          expect(other.health.counts()).toEqual(one.health.counts());
          expect(other.domains).toEqual(one.domains);
        };
        compare(
          before,
          (at) => at,
          (at) => at,
        );
        other.health.moveTo(SLOTS * 2, (at) => numbers[at] as number);
        compare(
          after,
          (at) => numbers[at] as number,
          (number) => known.get(number) as number,
        );
      },
    ),
  );
});

/** A whole proxy, as simply as it can be said. Only failures of the proxy, no domains. */
interface Naive {
  step: number;
  before: number;
  row: number;
  times: number;
  state: 'in' | 'out' | 'probing';
  since: number;
  until: number;
  well: number;
  wait: number;
}

it('does with a whole proxy what a simple model does', () => {
  const simple = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('succeed' as const), slot: fc.nat(2) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom('connect' as const, 'tls' as const, 'protocol' as const, 'timeout' as const),
        slot: fc.nat(2),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), slot: fc.nat(150) }) },
  );
  fc.assert(
    fc.property(fc.array(simple, { maxLength: 200 }), fc.boolean(), (steps, isProven) => {
      const { health } = openHealth({ ...OPTIONS, jitter: 0, isProven, outliers: false });
      const models = Array.from(
        { length: 3 },
        (): Naive => ({
          step: isProven ? 0 : 1,
          before: 0,
          row: 0,
          times: 0,
          state: 'in',
          since: 0,
          until: 0,
          well: 0,
          wait: 0,
        }),
      );
      let now = 1000;
      for (const each of steps) {
        if (each.do === 'wait') {
          now += each.slot;
          health.advance(now, SLOTS);
          for (const model of models)
            if (model.state === 'out' && model.until <= now) model.state = 'probing';
          continue;
        }
        const model = models[each.slot] as Naive;
        const of: Use = { slot: each.slot, domain: null, session: null, isGateway: false };
        if (each.do === 'succeed') {
          health.succeeded(of, now);
          if (model.state === 'probing') Object.assign(model, { state: 'in', step: 2, row: 0, well: now });
          else if (model.state === 'in') {
            model.row = 0;
            if (model.step > 0) model.step = (model.step + 1) % 6;
          }
        } else {
          health.failed(of, { kind: each.do }, now);
          if (model.state !== 'out') {
            if (model.state === 'in' && now - model.well >= model.wait) model.times = 0;
            model.well = now;
            model.row++;
            const isOfProxy = each.do !== 'timeout';
            if (model.row >= (model.state === 'probing' || (isOfProxy && model.step > 0) ? 1 : 3)) {
              model.times++;
              model.wait = Math.min(30 * 2 ** (model.times - 1), 200);
              Object.assign(model, { state: 'out', step: 1, row: 0, since: now, until: now + model.wait });
            }
          }
        }
        for (const [at, { state, until, times, step: of }] of models.entries()) {
          expect(health.isOut(at)).toBe(state === 'out');
          if (state === 'out') expect(health.cooldownOf(at)).toMatchObject({ until, times });
          expect(health.allowance(at)).toBe([Number.POSITIVE_INFINITY, 1, 2, 4, 8, 16][of]);
        }
      }
    }),
  );
});
