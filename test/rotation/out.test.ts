import type { RotationRule, RotationStrategy } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { settingsOf } from '../../src/model/strategy-settings.ts';
import { Availability } from '../../src/rotation/availability.ts';
import { decide, fitsWhenReady, type Inputs, isCandidate } from '../../src/rotation/decide.ts';
import { Elapsed } from '../../src/rotation/elapsed.ts';
import { SlotSet } from '../../src/rotation/index/slot-set.ts';
import { refusalOf } from '../../src/rotation/no-proxy.ts';
import { PoolIndex } from '../../src/rotation/pool-index.ts';
import { type PoolRequest, wantedBy } from '../../src/rotation/request.ts';
import { compileRules } from '../../src/rotation/rules/compile.ts';
import { compileSchedule } from '../../src/rotation/schedule.ts';
import { idOf, proxy } from './index/indexed-proxy.ts';
import { START } from './open-pool.ts';
import { someRule } from './rules/some-rule.ts';

const STRATEGIES: RotationStrategy[] = [
  'round-robin',
  'random',
  'least-used',
  'fastest',
  'failure-aware',
  'weighted',
  'geographic',
  'sticky-session',
];

interface Given {
  strategy?: RotationStrategy;
  request?: PoolRequest;
  scopes?: readonly SlotSet[];
  rules?: RotationRule[];
}

function inputsOf(index: PoolIndex, { strategy = 'random', request, scopes, rules = [] }: Given): Inputs {
  const settings = settingsOf({
    strategy,
    intervalMs: null,
    maxRequestsPerProxy: null,
    failureThreshold: null,
    options: { country: 'DE' },
    updatedAt: null,
  });
  return {
    pool: {
      index,
      rules: compileRules(rules),
      settings,
      schedule: compileSchedule([], 'UTC'),
      plainWay: null,
    },
    wanted: wantedBy(request),
    mappingOf: () => null,
    turnOf: () => null,
    last: -1,
    rotate: false,
    scopes: scopes ?? [],
    availability: new Availability(new PoolIndex(), settings, new Elapsed(), () => 0.4, {
      onDomain: () => {},
      onLogin: () => {},
    }),
    now: START,
    random: () => 0.4,
  };
}

/** Six proxies in slots of their numbers: 1 is disabled, 2 failed, 3 elsewhere. */
function smallPool(): PoolIndex {
  const index = new PoolIndex();
  for (let n = 0; n < 6; n++) {
    const status = ({ 1: 'disabled', 2: 'failed' } as const)[n] ?? 'active';
    index.put(proxy(n, { status, country: n === 3 ? 'US' : 'DE' }), 0);
  }
  return index;
}

function scopeOf(...slots: number[]): SlotSet {
  const scope = new SlotSet();
  for (const slot of slots) scope.add(slot);
  return scope;
}

describe.each(STRATEGIES)('with the strategy %s', (strategy) => {
  it('what is out altogether, or for the domain, is not chosen, and a failed one that returns is', () => {
    const index = smallPool();
    index.setOut(0, true);
    index.setOut(4, true);
    const given = { strategy, request: { country: 'DE', domain: 'a.example' } };
    expect(decide(inputsOf(index, given)).slot).toBe(5);
    const refused = inputsOf(index, { ...given, scopes: [scopeOf(3), scopeOf(5)] });
    expect(decide(refused).refusal).toEqual({ why: 'candidates' });
    index.setReturning(2, true);
    expect(decide(refused).slot).toBe(2);
    index.setOut(2, true);
    expect(decide(refused).slot).toBe(-1);
    index.setOut(0, false);
    expect(decide(refused).slot).toBe(0);
  });

  it('of many that are out for a domain none is chosen', () => {
    const index = new PoolIndex();
    for (let n = 0; n < 300; n++) index.put(proxy(n, { country: 'DE' }), 0);
    const scope = scopeOf();
    const given = { strategy, scopes: [scope, scopeOf(299)], request: { domain: 'a.example' } };
    for (let n = 298; n >= 0; n--) {
      scope.add(n);
      const { slot } = decide(inputsOf(index, given));
      if (n === 0) expect(slot).toBe(-1);
      else expect(slot).toBeLessThan(n);
    }
    scope.delete(123);
    expect(decide(inputsOf(index, given)).slot).toBe(123);
  });
});

describe('a decision', () => {
  it('knows what would be a candidate if it were not out', () => {
    const index = smallPool();
    index.setOut(0, true);
    const request = { country: 'DE', exclude: [idOf(5)] };
    const decision = decide(inputsOf(index, { request, scopes: [scopeOf(4)] }));
    expect(decision.slot).toBe(-1);
    const slots = [0, 1, 2, 3, 4, 5, 6, -1];
    expect(slots.filter((slot) => fitsWhenReady(decision, slot))).toEqual([0, 4]);
    expect(slots.filter((slot) => isCandidate(decision, slot))).toEqual([]);
    index.setReturning(2, true);
    expect(slots.filter((slot) => fitsWhenReady(decision, slot))).toEqual([0, 2, 4]);
  });

  it('a rule that names a proxy which is out gives no proxy', () => {
    const index = smallPool();
    const rules = [
      someRule({
        conditions: [{ field: 'hour', operator: 'greater-than', value: -1 }],
        actions: [{ type: 'use-proxy', proxyId: idOf(4) }],
      }),
    ];
    const inputs = inputsOf(index, { rules });
    expect(decide(inputs).slot).toBe(4);
    index.setOut(4, true);
    expect(decide(inputs)).toMatchObject({ slot: -1, refusal: { why: 'rule', state: 'out' } });
    expect(refusalOf(decide(inputs), inputs)).toContain('which is out');
  });
});
