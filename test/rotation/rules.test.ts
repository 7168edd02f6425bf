import fc from 'fast-check';
import type { RotationRule } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { type Facts, matchRules } from '../../src/rotation/rules.ts';

const base: RotationRule = {
  id: 'r',
  name: 'n',
  priority: 0,
  conditions: [],
  conditionLogic: 'AND',
  actions: [{ type: 'block' }],
  stopOnMatch: false,
  enabled: true,
  createdAt: '2026-01-01T00:00:00.000Z',
};

const holds = (condition: RotationRule['conditions'][number], facts: Facts): boolean =>
  matchRules([{ ...base, conditions: [condition] }], facts).length === 1;

describe('conditions', () => {
  it('compare URLs without their logins', () => {
    const condition = { field: 'url', operator: 'starts-with', value: 'https://u:p@shop.example/' } as const;
    for (const url of ['https://shop.example/', 'https://a:b@shop.example/x', 'HTTPS://a@c@Shop.example/'])
      expect([url, holds(condition, { url })]).toEqual([url, true]);
    for (const url of ['https://shop.example.org/', 'https://a.example/https://u:p@shop.example/'])
      expect([url, holds(condition, { url })]).toEqual([url, false]);
  });

  it('compare texts without regard to case, and numbers as numbers', () => {
    const facts = { domain: 'Shop.Example.com', hour: 9, latency: 120 };
    const cases: [RotationRule['conditions'][number], boolean][] = [
      [{ field: 'domain', operator: 'equals', value: 'shop.example.COM' }, true],
      [{ field: 'domain', operator: 'not-equals', value: 'shop.example.com' }, false],
      [{ field: 'domain', operator: 'contains', value: 'EXAMPLE' }, true],
      [{ field: 'domain', operator: 'starts-with', value: 'example' }, false],
      [{ field: 'domain', operator: 'ends-with', value: '.com' }, true],
      [{ field: 'domain', operator: 'in', value: ['a', 'SHOP.example.com'] }, true],
      [{ field: 'domain', operator: 'not-in', value: ['a'] }, true],
      [{ field: 'hour', operator: 'equals', value: 9 }, true],
      [{ field: 'latency', operator: 'greater-than', value: 20 }, true],
      [{ field: 'latency', operator: 'less-than', value: 120 }, false],
      [{ field: 'hour', operator: 'between', value: [9, 17] }, true],
      [{ field: 'hour', operator: 'between', value: [10, 17] }, false],
    ];
    for (const [condition, expected] of cases)
      expect([condition, holds(condition, facts)]).toEqual([condition, expected]);
  });

  it('of an older version, with a URL or brackets for a domain, hold for its host', () => {
    for (const [value, domain] of [
      ['https://shop.example/cart', 'shop.example'],
      ['[2001:db8::1]', '2001:db8::1'],
      ['shop.example:443', 'https://u:p@shop.example/'],
    ] as const) {
      expect([value, holds({ field: 'domain', operator: 'equals', value }, { domain })]).toEqual([
        value,
        true,
      ]);
      expect(holds({ field: 'domain', operator: 'not-in', value: [value] }, { domain })).toBe(false);
    }
  });

  it('take a domain for the same whatever way it is written', () => {
    const written = ['shop.de', 'SHOP.DE.', 'shop。de', 'shop.ｄｅ', 'shop.de。'];
    for (const domain of written) {
      expect([domain, holds({ field: 'domain', operator: 'ends-with', value: '.de' }, { domain })]).toEqual([
        domain,
        true,
      ]);
      expect(holds({ field: 'domain', operator: 'not-in', value: ['Shop.de.'] }, { domain })).toBe(false);
      expect(holds({ field: 'domain', operator: 'starts-with', value: 'shop.' }, { domain })).toBe(true);
    }
    for (const domain of ['bücher.example', 'xn--bcher-kva.example', 'BÜCHER.example.'])
      for (const value of ['bücher.example', 'xn--bcher-kva.example'])
        expect([domain, value, holds({ field: 'domain', operator: 'equals', value }, { domain })]).toEqual([
          domain,
          value,
          true,
        ]);
    expect(holds({ field: 'domain', operator: 'contains', value: '10' }, { domain: 'a10.example' })).toBe(
      true,
    );
    expect(
      holds({ field: 'domain', operator: 'ends-with', value: '.de' }, { domain: 'shop.de.evil.example' }),
    ).toBe(false);
  });

  it('do not hold on a fact that is absent, not even a denial', () => {
    for (const operator of ['not-equals', 'equals'] as const) {
      expect(holds({ field: 'region', operator, value: 'EU' }, {})).toBe(false);
      expect(holds({ field: 'region', operator, value: 'EU' }, { region: null })).toBe(false);
    }
  });
});

describe('matchRules', () => {
  it('agrees with a naive model of priority, logic, enabling and stopping', () => {
    const condition = fc.record({
      field: fc.constant('hour' as const),
      operator: fc.constant('equals' as const),
      value: fc.nat({ max: 2 }),
    });
    const rule = fc.record({
      priority: fc.nat({ max: 3 }),
      conditions: fc.array(condition, { minLength: 1, maxLength: 3 }),
      conditionLogic: fc.constantFrom('AND' as const, 'OR' as const),
      stopOnMatch: fc.boolean(),
      enabled: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), fc.nat({ max: 2 }), (parts, hour) => {
        const rules = parts.map((part, index) => ({ ...base, ...part, id: String(index) }));
        const expected: string[] = [];
        for (const priority of [3, 2, 1, 0]) {
          for (const each of rules.filter(
            (candidate) => candidate.priority === priority && candidate.enabled,
          )) {
            const results = each.conditions.map(({ value }) => value === hour);
            if (each.conditionLogic === 'AND' ? !results.every(Boolean) : !results.some(Boolean)) continue;
            expected.push(each.id);
          }
        }
        const stop = expected.findIndex((id) => rules[Number(id)]?.stopOnMatch);
        const cut = stop === -1 ? expected : expected.slice(0, stop + 1);
        expect(matchRules(rules, { hour }).map(({ rule: { id } }) => id)).toEqual(cut);
      }),
    );
  });
});
