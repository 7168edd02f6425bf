import type { RotationRule } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import type { RuleFacts } from '../../../src/rotation/rules/facts.ts';
import { holds } from './some-rule.ts';

type Condition = RotationRule['conditions'][number];

/** The facts in which one number is `n`: for `hour` and `weekday` a time. */
function numberFacts(field: string, n: number | null): Partial<RuleFacts> {
  // A Sunday.
  if (field === 'hour') return { now: Date.UTC(2026, 4, 3, Number(n)) };
  if (field === 'weekday') return { now: Date.UTC(2026, 4, 3 + Number(n)) };
  return { last: { latency: n, successRate: Number(n), failureCount: Number(n) } };
}

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
  for (const [field, numbers] of [
    ['hour', [0, 1, 2, 3, 4, 5, 10, 20, 23]],
    ['weekday', [0, 1, 2, 3, 4, 5, 6]],
    ['failureCount', [0, 1, 2, 3, 4, 5, 10, 20]],
    ['latency', [0, 1, 2, 2.5, 3, 3.5, 4, 5, 10, 20]],
    ['successRate', [0, 1, 2, 2.5, 3, 3.5, 4, 5, 10, 20]],
  ] as const) {
    const condition = { field, operator, value } as Condition;
    for (const n of numbers)
      expect([field, n, holds(condition, numberFacts(field, n))]).toEqual([field, n, expected(n)]);
  }
  for (const field of ['failureCount', 'latency', 'successRate'] as const)
    for (const last of [undefined, null])
      expect(holds({ field, operator, value } as Condition, { last })).toBe(false);
  expect(holds({ field: 'latency', operator, value } as Condition, numberFacts('latency', null))).toBe(false);
});

const TEXTS = ['EU', 'eu', 'eu-west', 'west-eu', 'a-EU-b', 'us', 'e'];
it.each<[operator: string, value: unknown, (text: string) => boolean]>([
  ['equals', 'Eu', (text) => text === 'eu'],
  ['not-equals', 'Eu', (text) => text !== 'eu'],
  ['contains', 'eU', (text) => text.includes('eu')],
  ['not-contains', 'eU', (text) => !text.includes('eu')],
  ['matches', '^(eu|us)$', (text) => ['eu', 'us'].includes(text)],
  ['matches', '-.*-', (text) => text === 'a-eu-b'],
  ['starts-with', 'eU', (text) => text.startsWith('eu')],
  ['ends-with', 'eU', (text) => text.endsWith('eu')],
  ['in', ['Eu', 'Us'], (text) => ['eu', 'us'].includes(text)],
  ['not-in', ['Eu', 'Us'], (text) => !['eu', 'us'].includes(text)],
])('a text %s %j, in any case', (operator, value, expected) => {
  for (const field of ['region', 'protocol', 'country', 'session', 'path', 'url', 'domain'] as const) {
    const condition = { field, operator, value } as Condition;
    for (const text of TEXTS)
      expect([field, text, holds(condition, { [field]: text })]).toEqual([
        field,
        text,
        expected(text.toLowerCase()),
      ]);
    for (const absent of [undefined, null]) expect(holds(condition, { [field]: absent })).toBe(false);
    const tags = { ...condition, field: 'tag' } as Condition;
    for (const text of TEXTS)
      expect([text, holds(tags, { tags: [text] })]).toEqual([text, expected(text.toLowerCase())]);
    for (const absent of [undefined, null, []]) expect(holds(tags, { tags: absent })).toBe(false);
  }
});

const URL_FACT = 'https://user:pw@Shop.example/Cart';
it.each<[operator: string, value: unknown, boolean]>([
  ['equals', 'HTTPS://shop.example/cart', true],
  ['equals', 'https://other:login@shop.example/cart', true],
  ['not-equals', 'https://shop.example/cart', false],
  ['contains', '/CART', true],
  ['not-contains', '/CART', false],
  ['not-contains', 'user', true],
  ['matches', '^https://[a-z.]+/cart$', true],
  ['matches', 'user|pw', false],
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
  ['not-contains', ['bücher', 'xn--bcher-kva', 'cher。ex'], false],
  ['not-contains', ['bcher', 'shop'], true],
  ['matches', ['^bücher', 'BÜ.*EXAMPLE$', '^[^.]+\\.example$'], true],
  ['matches', ['^xn', 'bcher', '\\.$'], false],
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

it('a text is compared in its case if the condition says so, a domain never', () => {
  const condition = { operator: 'contains', value: 'Cart', caseSensitive: true } as const;
  for (const [field, facts] of [
    ['url', (text: string) => ({ url: `https://shop.example/${text}` })],
    ['path', (text: string) => ({ url: `https://shop.example/${text}` })],
    ['session', (text: string) => ({ session: text })],
    ['tag', (text: string) => ({ tags: ['x', text] })],
  ] as const) {
    expect(holds({ field, ...condition }, facts('Cart1'))).toBe(true);
    expect(holds({ field, ...condition }, facts('cart1'))).toBe(false);
    expect(holds({ field, ...condition, operator: 'not-contains' }, facts('cart1'))).toBe(true);
    expect(holds({ field, ...condition, caseSensitive: false }, facts('cart1'))).toBe(true);
    const pattern = { operator: 'matches', value: 'C[a]rt\\d' } as const;
    expect(holds({ field, ...pattern, caseSensitive: true }, facts('Cart1'))).toBe(true);
    expect(holds({ field, ...pattern, caseSensitive: true }, facts('cart1'))).toBe(false);
    expect(holds({ field, ...pattern }, facts('cart1'))).toBe(true);
  }
});

it('a path is that of the URL, without its query, unless it is given', () => {
  const condition = { field: 'path', operator: 'equals', value: '/a/b' } as const;
  expect(holds(condition, { url: 'https://u:p@x.example:8/a/b?c#d' })).toBe(true);
  expect(holds(condition, { url: 'https://x.example/z/../a/b' })).toBe(true);
  expect(holds(condition, { url: 'https://x.example/', path: '/A/b' })).toBe(true);
  expect(holds(condition, { url: 'https://x.example/a/b', path: '/' })).toBe(false);
  expect(holds({ ...condition, operator: 'not-equals' }, { url: 'no URL' })).toBe(false);
});

describe('a path is compared in one form', () => {
  const same: [value: string, asked: string][] = [
    ['/a b', '/a b'],
    ['/a b', '/a%20b'],
    ['/a%20b', '/a b'],
    ['/admin', '/%61dmin'],
    ['/%61dmin', '/admin'],
    ['/%7Euser', '/~user'],
    ['/%c3%a4', '/%C3%A4'],
    ['/ä', '/%C3%A4'],
    ['/%C3%A4', '/ä'],
    ['/"<>`{}^', '/"<>`{}^'],
    ['/💡', '/💡'],
    ['/100%', '/100%'],
    ['/a%2fb', '/a%2Fb'],
  ];
  it.each(same)('%s is %s', (value, asked) => {
    const url = `https://x.example${asked}`;
    for (const caseSensitive of [false, true])
      for (const operator of ['equals', 'starts-with', 'ends-with', 'contains'] as const) {
        expect(holds({ field: 'path', operator, value, caseSensitive }, { url })).toBe(true);
        expect(holds({ field: 'path', operator, value, caseSensitive }, { path: asked })).toBe(true);
      }
    expect(holds({ field: 'path', operator: 'in', value: ['/', value] }, { url })).toBe(true);
    expect(holds({ field: 'path', operator: 'not-equals', value }, { url })).toBe(false);
  });

  it.each([
    // A slash that is encoded is no slash.
    ['/a/b', '/a%2Fb'],
    ['/a%25b', '/a%b'],
    ['/%', '/%25'],
    ['/+', '/ '],
  ])('%s is not %s', (value, asked) => {
    expect(holds({ field: 'path', operator: 'equals', value }, { url: `https://x.example${asked}` })).toBe(
      false,
    );
  });

  it('a regular expression meets the path of the URL, percent-encoded, and a URL is as it was given', () => {
    const url = 'https://x.example/a b/%61';
    expect(holds({ field: 'path', operator: 'matches', value: '^/a%20b/a$' }, { url })).toBe(true);
    expect(holds({ field: 'url', operator: 'ends-with', value: '/a b/%61' }, { url })).toBe(true);
    expect(holds({ field: 'url', operator: 'ends-with', value: '/a%20b/a' }, { url })).toBe(false);
  });
});

it('one of several tags is enough, and a denial is about them all', () => {
  const tags = ['Fast', 'eu'];
  for (const [operator, value, expected] of [
    ['equals', 'fast', true],
    ['equals', 'slow', false],
    ['not-equals', 'eu', false],
    ['not-equals', 'slow', true],
    ['in', ['slow', 'EU'], true],
    ['not-in', ['slow', 'EU'], false],
    ['not-in', ['slow'], true],
    ['contains', 'as', true],
    ['not-contains', 'as', false],
  ] as const)
    expect([operator, holds({ field: 'tag', operator, value }, { tags })]).toEqual([operator, expected]);
});

it('hours and weekdays go round: from 22 to 6 is a night', () => {
  const night = { field: 'hour', operator: 'between', value: [22, 6] } as const;
  for (const [hour, expected] of [
    [21, false],
    [22, true],
    [0, true],
    [6, true],
    [7, false],
  ] as const)
    expect([hour, holds(night, numberFacts('hour', hour))]).toEqual([hour, expected]);
  const weekend = { field: 'weekday', operator: 'between', value: [6, 0] } as const;
  expect([0, 1, 5, 6].filter((day) => holds(weekend, numberFacts('weekday', day)))).toEqual([0, 6]);
  expect(holds({ field: 'latency', operator: 'between', value: [22, 6] }, numberFacts('latency', 23))).toBe(
    false,
  );
});

it('a pattern that others take years for is as fast as any', () => {
  const url = `https://x.example/${'a'.repeat(100_000)}!`;
  expect(holds({ field: 'url', operator: 'matches', value: '(a+)+$' }, { url })).toBe(false);
  expect(holds({ field: 'url', operator: 'matches', value: '(a|a)*!$' }, { url })).toBe(true);
});
