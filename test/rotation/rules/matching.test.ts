import fc from 'fast-check';
import type { RotationRule } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { compileRules } from '../../../src/rotation/rules/compile.ts';
import type { RuleFacts } from '../../../src/rotation/rules/facts.ts';
import type { RuleTrace } from '../../../src/rotation/rules/trace.ts';
import { naiveMatches } from './naive.ts';
import { NOON, someRule } from './some-rule.ts';

const word = fc.constantFrom('a', 'A', 'b', 'ab', 'Ba', 'a.b', 'b.example', 'A.b.Example', '/a', '/A/b');
const url = fc.constantFrom('https://a.example/', 'https://u:p@a.b.example/A/b?a', 'http://b.example/a');
const number = fc.nat({ max: 24 });
const numberOf = fc.constantFrom('hour', 'weekday', 'latency', 'successRate', 'failureCount');
const textOf = fc.constantFrom('url', 'path', 'protocol', 'country', 'region', 'tag', 'session');
const whole = fc.constantFrom('equals', 'not-equals', 'contains', 'not-contains', 'starts-with', 'ends-with');
const several = fc.constantFrom('in', 'not-in');
const pattern = fc.constantFrom('a', '^a', 'b$', 'a.b', '[^a]', '(a|B)+', '/a', '^.b?$');
const isCase = fc.boolean();

const condition = fc.oneof(
  fc.record({ field: fc.constant('domain'), operator: whole, value: word }),
  fc.record({ field: fc.constant('domain'), operator: several, value: fc.array(word, { minLength: 1 }) }),
  fc.record({ field: textOf, operator: whole, value: fc.oneof(word, url), caseSensitive: isCase }),
  fc.record({
    field: textOf,
    operator: several,
    value: fc.array(word, { minLength: 1 }),
    caseSensitive: isCase,
  }),
  fc.record({ field: textOf, operator: fc.constant('matches'), value: pattern, caseSensitive: isCase }),
  fc.record({
    field: numberOf,
    operator: fc.constantFrom('equals', 'not-equals', 'greater-than', 'less-than'),
    value: number,
  }),
  fc.record({ field: numberOf, operator: several, value: fc.array(number, { minLength: 1 }) }),
  fc.record({ field: numberOf, operator: fc.constant('between'), value: fc.tuple(number, number) }),
) as fc.Arbitrary<RotationRule['conditions'][number]>;

const rules = fc
  .array(
    fc.record({
      priority: fc.nat({ max: 2 }),
      createdAt: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'),
      conditions: fc.array(condition, { minLength: 1, maxLength: 3 }),
      conditionLogic: fc.constantFrom('AND' as const, 'OR' as const),
      stopOnMatch: fc.boolean(),
      enabled: fc.boolean(),
    }),
    { maxLength: 8 },
  )
  .map((parts) => parts.map((part, index) => someRule({ ...part, id: String(index) })));

const absent = { nil: undefined };
const facts: fc.Arbitrary<RuleFacts> = fc.record({
  domain: fc.option(fc.constantFrom('a', 'b', 'ab', 'a.b', 'b.example', 'a.b.example'), absent),
  url: fc.option(url, absent),
  path: fc.option(word, absent),
  protocol: fc.option(word, absent),
  country: fc.option(word),
  region: fc.option(word, absent),
  tags: fc.option(fc.array(word, { maxLength: 3 }), absent),
  session: fc.option(word, absent),
  now: fc.nat({ max: 14 * 24 }).map((hours) => NOON + hours * 3_600_000),
  last: fc.option(fc.record({ latency: fc.option(number), successRate: number, failureCount: number })),
});

describe('compiled rules', () => {
  it('agree with a naive evaluation, also when a trace is asked for', () => {
    fc.assert(
      fc.property(rules, fc.array(facts, { minLength: 1, maxLength: 3 }), (some, requests) => {
        const compiled = compileRules(some);
        // The same rules are asked several times, as they are in use.
        for (const request of requests) {
          const expected = naiveMatches(some, request);
          const outcome = compiled.match(request);
          expect(outcome.matched).toEqual(expected);
          const trace: RuleTrace[] = [];
          expect(compiled.match(request, trace)).toEqual(outcome);
          const applied = trace.filter(({ holds, reason }) => holds && reason === undefined);
          expect(applied.map(({ rule }) => rule)).toEqual(expected);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('give the same outcome each time nothing matches, and each time one rule does', () => {
    const night = someRule({ conditions: [{ field: 'hour', operator: 'equals', value: 3 }] });
    const compiled = compileRules([night]);
    const nothing = compiled.match({ now: NOON });
    expect(nothing).toMatchObject({ matched: [], block: null, proxy: null, excludeTags: [] });
    expect(Object.isFrozen(nothing)).toBe(true);
    expect(compiled.match({ now: NOON })).toBe(nothing);
    expect(compileRules([]).match({ now: NOON })).toBe(nothing);
    const at3 = Date.UTC(2026, 4, 1, 3);
    expect(compiled.match({ now: at3 })).toBe(compiled.match({ now: at3 }));
  });

  it('see the hour and weekday of their time zone, also of half hours and when clocks change', () => {
    const seen = (timeZone: string | undefined, now: string): [weekday: number, hour: number] => {
      const value = (field: 'hour' | 'weekday', most: number): number =>
        Array.from({ length: most }, (_, n) => n).find(
          (n) =>
            compileRules([someRule({ conditions: [{ field, operator: 'equals', value: n }] })], {
              timeZone,
            }).match({ now: Date.parse(now) }) !== compileRules([]).match({ now: 0 }),
        ) ?? -1;
      return [value('weekday', 7), value('hour', 24)];
    };
    expect(seen(undefined, '2026-05-01T23:59:59Z')).toEqual([5, 23]);
    expect(seen('UTC', '1969-12-31T23:00:00Z')).toEqual([3, 23]);
    expect(seen('Europe/Berlin', '2026-05-01T23:59:59Z')).toEqual([6, 1]);
    expect(seen('Europe/Berlin', '2026-03-29T00:59:59Z')).toEqual([0, 1]);
    expect(seen('Europe/Berlin', '2026-03-29T01:00:00Z')).toEqual([0, 3]);
    expect(seen('Asia/Kathmandu', '2026-05-02T18:14:59Z')).toEqual([6, 23]);
    expect(seen('Asia/Kathmandu', '2026-05-02T18:15:00Z')).toEqual([0, 0]);
  });

  it('move with the time: a quarter of an hour later the clock is read again', () => {
    const compiled = compileRules(
      [someRule({ conditions: [{ field: 'hour', operator: 'equals', value: 18 }] })],
      { timeZone: 'Asia/Kathmandu' },
    );
    const matches = (now: string): boolean => compiled.match({ now: Date.parse(now) }).matched.length > 0;
    expect([matches('2026-05-01T12:14:59Z'), matches('2026-05-01T12:15:00Z')]).toEqual([false, true]);
    expect([matches('2026-05-01T13:14:59Z'), matches('2026-05-01T13:15:00Z')]).toEqual([true, false]);
  });
});
