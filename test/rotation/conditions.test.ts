import type { RotationRule } from 'proxyvault/database';
import { expect, it } from 'vitest';
import { type Facts, matchRules } from '../../src/rotation/rules.ts';

type Condition = RotationRule['conditions'][number];

const holds = (condition: Condition, facts: Facts): boolean =>
  matchRules(
    [
      {
        id: 'r',
        name: 'n',
        priority: 0,
        conditions: [condition],
        conditionLogic: 'AND',
        actions: [{ type: 'block' }],
        stopOnMatch: true,
        enabled: true,
        createdAt: '2026-01-01T00:00:00.000Z',
      },
    ],
    facts,
  ).length === 1;

it.each<[operator: string, value: unknown, (n: number) => boolean]>([
  ['equals', 3, (n) => n === 3],
  ['not-equals', 3, (n) => n !== 3],
  ['greater-than', 3, (n) => n > 3],
  ['less-than', 3, (n) => n < 3],
  ['between', [2, 4], (n) => n >= 2 && n <= 4],
  ['between', [3, 3], (n) => n === 3],
  ['in', [1, 3, 5], (n) => [1, 3, 5].includes(n)],
  ['not-in', [1, 3, 5], (n) => ![1, 3, 5].includes(n)],
])('a number %s %j', (operator, value, expected) => {
  for (const field of ['hour', 'weekday', 'failureCount', 'latency', 'successRate'] as const) {
    const condition = { field, operator, value } as Condition;
    for (const n of [0, 1, 2, 2.5, 3, 3.5, 4, 5, 10, 20])
      expect([field, n, holds(condition, { [field]: n })]).toEqual([field, n, expected(n)]);
    for (const absent of [undefined, null]) expect(holds(condition, { [field]: absent })).toBe(false);
  }
});

const TEXTS = ['EU', 'eu', 'eu-west', 'west-eu', 'a-EU-b', 'us', 'e'];
it.each<[operator: string, value: unknown, (text: string) => boolean]>([
  ['equals', 'Eu', (text) => text === 'eu'],
  ['not-equals', 'Eu', (text) => text !== 'eu'],
  ['contains', 'eU', (text) => text.includes('eu')],
  ['starts-with', 'eU', (text) => text.startsWith('eu')],
  ['ends-with', 'eU', (text) => text.endsWith('eu')],
  ['in', ['Eu', 'Us'], (text) => ['eu', 'us'].includes(text)],
  ['not-in', ['Eu', 'Us'], (text) => !['eu', 'us'].includes(text)],
])('a text %s %j, in any case', (operator, value, expected) => {
  for (const field of ['region', 'protocol', 'domain'] as const) {
    const condition = { field, operator, value } as Condition;
    for (const text of TEXTS)
      expect([field, text, holds(condition, { [field]: text })]).toEqual([
        field,
        text,
        expected(text.toLowerCase()),
      ]);
    expect(holds(condition, {})).toBe(false);
  }
});

const URL_FACT = 'https://user:pw@Shop.example/Cart';
it.each<[operator: string, value: unknown, boolean]>([
  ['equals', 'HTTPS://shop.example/cart', true],
  ['equals', 'https://other:login@shop.example/cart', true],
  ['not-equals', 'https://shop.example/cart', false],
  ['contains', '/CART', true],
  ['contains', 'user', false],
  ['starts-with', 'https://shop', true],
  ['ends-with', '/cart', true],
  ['in', ['https://shop.example/cart'], true],
  ['not-in', ['https://x:y@shop.example/cart'], false],
])('a URL %s %j, without its login and in any case', (operator, value, expected) => {
  expect(holds({ field: 'url', operator, value } as Condition, { url: URL_FACT })).toBe(expected);
});

const SPELLINGS = [
  'bücher.example',
  'BÜCHER.example',
  'xn--bcher-kva.example',
  'xn--bcher-kva.example.',
  'bücher。example',
];
it.each<[operator: string, values: string[], boolean]>([
  ['equals', SPELLINGS, true],
  ['not-equals', SPELLINGS, false],
  ['contains', ['bücher', 'BÜCHER', 'xn--bcher-kva', 'cher.ex', 'cher。ex'], true],
  ['contains', ['bcher', 'kva'], false],
  ['starts-with', ['bücher', 'BÜ', 'xn--bcher-kva.', 'bücher.', 'bücher。'], true],
  ['starts-with', ['xn', 'ücher', 'example'], false],
  ['ends-with', ['cher.example', '.example', '.EXAMPLE', '.example.', '。example', 'e.'], true],
  ['ends-with', ['bücher', '.example.org', 'xample.x'], false],
])('a domain %s %j, whatever way both are written', (operator, values, expected) => {
  for (const domain of SPELLINGS)
    for (const value of values)
      expect([domain, value, holds({ field: 'domain', operator, value } as Condition, { domain })]).toEqual([
        domain,
        value,
        expected,
      ]);
});
