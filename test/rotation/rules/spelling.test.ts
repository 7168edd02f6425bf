import type { RotationRule } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { holds } from './some-rule.ts';

describe('conditions', () => {
  it('compare URLs without their logins', () => {
    const condition = { field: 'url', operator: 'starts-with', value: 'https://u:p@shop.example/' } as const;
    for (const url of ['https://shop.example/', 'https://a:b@shop.example/x', 'HTTPS://a@c@Shop.example/'])
      expect([url, holds(condition, { url })]).toEqual([url, true]);
    for (const url of ['https://shop.example.org/', 'https://a.example/https://u:p@shop.example/'])
      expect([url, holds(condition, { url })]).toEqual([url, false]);
  });

  it('compare texts without regard to case, and numbers as numbers', () => {
    const last = { latency: 120, successRate: 100, failureCount: 0 };
    const facts = { domain: 'Shop.Example.com', now: Date.UTC(2026, 4, 1, 9), last };
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
