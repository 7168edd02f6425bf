// What rules cost a request: microseconds for 1, 100 and 1,000 compiled rules of which none matches, so that all are asked. Each
// request has another URL.
import { compileRules } from '../src/rotation/rules/compile.ts';

/** One of ten kinds of rule, as users have them; the last is a regular expression. */
const KINDS = [
  (n) => [{ field: 'domain', operator: 'ends-with', value: `.shop${n}.example` }],
  (n) => [{ field: 'domain', operator: 'equals', value: `www.shop${n}.example` }],
  (n) => [
    { field: 'domain', operator: 'in', value: [`a${n}.example`, `b${n}.example`] },
    { field: 'hour', operator: 'between', value: [9, 17] },
  ],
  (n) => [{ field: 'url', operator: 'contains', value: `/item/${n}/` }],
  (n) => [
    { field: 'country', operator: 'equals', value: 'FR' },
    { field: 'tag', operator: 'equals', value: `t${n}` },
  ],
  (n) => [{ field: 'path', operator: 'starts-with', value: `/p${n}` }],
  (n) => [{ field: 'latency', operator: 'greater-than', value: 1000 + n }],
  (n) => [{ field: 'session', operator: 'equals', value: `s${n}` }],
  () => [
    { field: 'weekday', operator: 'in', value: [0, 6] },
    { field: 'protocol', operator: 'equals', value: 'socks5' },
  ],
  (n) => [{ field: 'path', operator: 'matches', value: `^/cart${n}/\\d+$` }],
];
const REQUESTS = Array.from({ length: 1000 }, (_, n) => ({
  domain: `www.other${n % 50}.example`,
  url: `https://www.other${n % 50}.example/products/${n * 7919}?color=red`,
  country: 'DE',
  tags: ['fast'],
  session: `session-${n}`,
  protocol: 'http',
  now: Date.UTC(2026, 4, 1, 12) + n,
  last: { latency: 100, successRate: 90, failureCount: 0 },
}));
const ROUNDS = 5;

/** @returns {{name: string, value: number, unit: string, goal: number | null}[]} */
export function measureRules() {
  const mixed = [1, 100, 1000].map((count) => ({
    name: `rules, mixed, ${count.toLocaleString('en')}`,
    value: microsecondsOf(count, (n) => KINDS[n % KINDS.length](n)),
    unit: 'us',
    goal: count === 1000 ? 100 : null,
  }));
  return [
    ...mixed,
    { name: 'rules, matches, 1,000', value: microsecondsOf(1000, KINDS.at(-1)), unit: 'us', goal: null },
  ];
}

/** The median of some rounds, after one that is not measured. */
function microsecondsOf(count, conditionsOf) {
  const rules = compileRules(
    Array.from({ length: count }, (_, n) => ({
      id: String(n),
      name: 'n',
      priority: 0,
      conditions: conditionsOf(n),
      conditionLogic: 'AND',
      actions: [{ type: 'use-country', country: 'DE' }],
      stopOnMatch: true,
      enabled: true,
      createdAt: '2026-01-01T00:00:00.000Z',
    })),
  );
  const times = Array.from({ length: ROUNDS + 1 }, () => {
    const start = performance.now();
    for (const request of REQUESTS) rules.match(request);
    return ((performance.now() - start) * 1000) / REQUESTS.length;
  });
  return times.slice(1).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}
