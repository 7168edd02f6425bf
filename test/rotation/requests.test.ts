import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { ROTATION_STRATEGIES } from '../../src/model/rotation.ts';
import { thrownBy } from '../support/temporary.ts';
import { open } from './open-pool.ts';

const FIELDS = ['url', 'domain', 'session', 'country', 'region', 'protocol', 'strategy'] as const;
const MALFORMED: [string, unknown][] = [
  ...FIELDS.flatMap((field) =>
    ['', 7, null, [], {}, 'a\0b', '\uD800', 'x'.repeat(3000)].map((value): [string, unknown] => [
      field,
      value,
    ]),
  ),
  ['url', 'x.example'],
  ['url', 'mailto:x@y.example'],
  ['url', 'file:///x'],
  ['url', 'https://'],
  ['domain', 'a b'],
  ['domain', '*.example'],
  ['country', 'Germany'],
  ['country', 'D'],
  ['country', 'D1'],
  ['protocol', 'ftp'],
  ['protocol', 'HTTP'],
  ['strategy', 'fast'],
  ['tags', 'tag'],
  ['tags', null],
  ['tags', [7]],
  ['tags', ['']],
  ['tags', [null]],
  ['tags', ['\uDC00x']],
  ['tags', new Set(['a'])],
  ['exclude', 'ab'],
  ['exclude', 7],
  ['exclude', null],
  ['exclude', {}],
  ['exclude', [7]],
  ['exclude', [undefined]],
  ['exclude', [['a']]],
  ['Domain', 'a.example'],
];

it.each(MALFORMED)(
  '%s: %o is INVALID_INPUT to choose, explain and rotate, and nothing is handed out',
  async (field, value) => {
    const { vault, pool } = await open();
    for (const call of [
      () => pool.choose({ [field]: value }),
      () => pool.explain({ [field]: value }),
      () => pool.rotate({ [field]: value }),
    ])
      expect(thrownBy(call)).toMatchObject({ code: 'INVALID_INPUT' });
    vault.pool.close();
    expect(vault.database.query('SELECT sum(hand_outs) AS n FROM proxies')).toEqual([{ n: null }]);
  },
);

it.each([[[]], [null], [7], ['a.example'], [() => ({})]])('%o is no request', async (request) => {
  const { pool } = await open();
  expect(thrownBy(() => pool.choose(request as never))).toMatchObject({ code: 'INVALID_INPUT' });
});

it('a field that is undefined is one that is not given', async () => {
  const { next, pool } = await open(2);
  const fields = [...FIELDS, 'tags', 'exclude'] as const;
  expect(next(Object.fromEntries(fields.map((field) => [field, undefined])))).toBe('a');
  expect(pool.explain({ tags: [], exclude: [] }).proxy?.id).toBe('b');
});

it('a field is taken in the form in which the pool has it', async () => {
  const { next } = await open([
    { geolocation: { country: 'DE' }, region: 'EU' },
    { geolocation: { country: 'US' } },
  ]);
  for (const country of ['de', 'DE', 'dE']) expect(next({ country })).toBe('a');
  const domain = next({ domain: 'Bücher.example', strategy: 'sticky-session' });
  for (const same of ['bücher.example', 'xn--bcher-kva.example', 'BÜCHER.example.', 'bücher.example:8080'])
    expect(next({ domain: same })).toBe(domain);
  for (const url of ['https://bücher.example/x', 'HTTP://user:pass@XN--BCHER-KVA.example:81?q'])
    expect(next({ url })).toBe(domain);
});

it.each(ROTATION_STRATEGIES)(
  '%s: excluded ids may be any iterable, and unknown ones change nothing',
  async (strategy) => {
    const { next } = await open(3);
    function* generated(): Generator<string> {
      yield 'a';
      yield 'nobody';
      yield 'c';
    }
    for (const exclude of [
      ['a', 'c', 'c'],
      new Set(['c', 'a', '']),
      generated(),
      new Map([
        ['a', 1],
        ['c', 2],
      ]).keys(),
    ])
      expect(next({ strategy, exclude })).toBe('b');
  },
);

it('long domains take no memory', { timeout: 30_000 }, async () => {
  const { next } = await open(1);
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 200; n++) next({ domain: `https://a.example/${n}/${'x'.repeat(2 ** 20)}` });
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 2 ** 20);
});
