import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROXY_PROTOCOLS, PROXY_STATUSES } from '../../../src/model/proxy.ts';
import { Exclusion } from '../../../src/rotation/exclusion.ts';
import type { Filter } from '../../../src/rotation/index/filter.ts';
import { type IndexedProxy, PoolIndex } from '../../../src/rotation/pool-index.ts';
import { idOf, proxy } from './indexed-proxy.ts';

const described = fc.record({
  status: fc.constantFrom('active' as const, 'active' as const, ...PROXY_STATUSES),
  protocol: fc.constantFrom(...PROXY_PROTOCOLS),
  country: fc.constantFrom('DE', 'US', null),
  region: fc.constantFrom('EU', 'NA', 'DE', null),
  tags: fc.subarray(['t', 'u', 'v']),
  weight: fc.constantFrom(0.5, 1, 2, 1000),
  handOuts: fc.nat({ max: 4 }),
  name: fc.constantFrom(null, 'a name'),
  port: fc.integer({ min: 1, max: 65_535 }),
  remoteDns: fc.boolean(),
});
const filter: fc.Arbitrary<Filter> = fc.record(
  {
    protocol: fc.constantFrom(...PROXY_PROTOCOLS),
    country: fc.constantFrom('DE', 'US'),
    region: fc.constantFrom('EU', 'NA', 'unknown'),
    places: fc.constantFrom(['DE'], ['EU', 'us'], ['unknown']),
    tags: fc.subarray(['t', 'u'], { minLength: 1 }),
    notCountries: fc.subarray(['DE', 'US'], { minLength: 1 }),
    notTags: fc.subarray(['v', 'unknown'], { minLength: 1 }),
  },
  { requiredKeys: [] },
);
const number = fc.nat({ max: 60 });
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), number, proxy: described }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), number }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('hand out' as const), number, times: fc.nat({ max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('look' as const),
      filter,
      exclude: fc.uniqueArray(number),
      random: fc.double({ min: 0, max: 0.999999, noNaN: true }),
    }),
  },
);

type Known = IndexedProxy & { handOuts: number };

function fits({ status, protocol, country, region, tags }: Known, wanted: Filter): boolean {
  const places = wanted.places?.map((place) => place.toUpperCase());
  return (
    status === 'active' &&
    (wanted.protocol === undefined || protocol === wanted.protocol) &&
    (wanted.country === undefined || country === wanted.country) &&
    (wanted.region === undefined || region === wanted.region) &&
    (places === undefined || places.includes(country ?? '-') || places.includes(region ?? '-')) &&
    (wanted.tags ?? []).every((tag) => tags.includes(tag)) &&
    !(wanted.notCountries ?? []).includes(country ?? '') &&
    !(wanted.notTags ?? []).some((tag) => tags.includes(tag))
  );
}

describe('an index of the pool', () => {
  it('is a Map of what was put and removed, and its views and choices are those of a plain list', () => {
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 120 }),
        fc.constantFrom(0, 3, 100),
        (changes, expected) => {
          const index = new PoolIndex(expected);
          const model = new Map<string, Known>();
          const slots = new Map<string, number>();
          for (const each of changes) {
            if (each.kind === 'put') {
              const id = idOf(each.number);
              const before = model.get(id);
              const proxy: Known = {
                ...each.proxy,
                id,
                host: each.number % 3 === 0 ? `2001:db8::${each.number}` : `${id}.example`,
                latency: null,
                successRate: 100,
                failureCount: 0,
                gateway: false,
                cooldowns: [],
                isProven: false,
              };
              index.put(proxy, 0);
              // What is known of hand-outs here stays.
              model.set(id, before === undefined ? proxy : { ...proxy, handOuts: before.handOuts });
              if (before !== undefined) expect(index.slotOf(id)).toBe(slots.get(id));
              slots.set(id, index.slotOf(id));
            } else if (each.kind === 'remove') {
              index.remove(idOf(each.number));
              model.delete(idOf(each.number));
              slots.delete(idOf(each.number));
              expect(index.slotOf(idOf(each.number))).toBe(-1);
            } else if (each.kind === 'hand out') {
              const known = model.get(idOf(each.number));
              for (let n = 0; known !== undefined && n < each.times; n++) {
                index.measures.handedOut(index.slotOf(known.id), 0);
                known.handOuts++;
              }
            } else look(index, model, each);
          }
          expect(index.size).toBe(model.size);
          expect(new Set(slots.values()).size).toBe(model.size);
          for (const [id, proxy] of model) {
            const { name, protocol, host, port, region, country, remoteDns } = proxy;
            expect(index.chosen(index.slotOf(id))).toEqual({
              id,
              name: name ?? (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),
              protocol,
              host,
              port,
              region,
              country,
              remoteDns,
              tags: [...proxy.tags].sort(),
            });
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

function look(
  index: PoolIndex,
  model: ReadonlyMap<string, Known>,
  { filter: wanted, exclude, random }: { filter: Filter; exclude: number[]; random: number },
): void {
  const excluded = new Set(exclude.map(idOf));
  const list = [...model.values()]
    .filter((proxy) => fits(proxy, wanted) && !excluded.has(proxy.id))
    .sort((a, b) => index.slotOf(a.id) - index.slotOf(b.id));
  const ids = list.map(({ id }) => id);
  const candidates = new Exclusion(index, excluded, []).candidates(index.find(wanted).view);
  const id = (slot: number): string | null => (slot === -1 ? null : index.columns.id(slot));
  expect([...candidates].map(id)).toEqual(ids);
  expect(candidates.isEmpty).toBe(ids.length === 0);
  for (const known of model.keys()) expect(candidates.has(index.slotOf(known))).toBe(ids.includes(known));
  const nothing = ids.length === 0;
  expect(ids.includes(id(candidates.any(() => random)) ?? '')).toBe(!nothing);
  expect(ids.includes(id(candidates.forKey(Math.floor(random * 2 ** 32))) ?? '')).toBe(!nothing);
  expect(ids.includes(id(candidates.weighted(() => random)) ?? '')).toBe(!nothing);
  const least = list.reduce<Known | null>(
    (best, each) => (best === null || each.handOuts < best.handOuts ? each : best),
    null,
  );
  expect(id(candidates.leastUsed())).toBe(least?.id ?? null);
  for (const slot of [-1, 0, Math.floor(random * index.end), index.end - 1, index.end + 1000]) {
    const next = list.find((each) => index.slotOf(each.id) > slot) ?? list[0];
    expect(id(candidates.after(slot))).toBe(next?.id ?? null);
  }
}

it('hundreds of filters follow the pool, though only some are kept', () => {
  const index = new PoolIndex();
  for (let n = 0; n < 4; n++)
    index.put({ ...proxy(n), tags: Array.from({ length: 300 }, (_, tag) => `t${tag}`) }, 0);
  const sizes = (): number[] => [
    ...Array.from({ length: 300 }, (_, tag) => index.find({ tags: [`t${tag}`] }).view.size),
    index.find({ protocol: 'http' }).view.size,
    index.find({ protocol: 'http', country: 'DE' }).view.size,
  ];
  expect(new Set(sizes().slice(0, -1))).toEqual(new Set([4]));
  index.remove(idOf(1));
  expect(new Set(sizes().slice(0, -1))).toEqual(new Set([3]));
  index.put({ ...proxy(2), protocol: 'socks5', tags: ['t1'] }, 0);
  expect(index.find({ protocol: 'http' }).view.size).toBe(2);
  index.put({ ...proxy(5), country: 'DE' }, 0);
  expect(sizes().slice(-2)).toEqual([3, 1]);
});

it('filters follow the pool through more changes than are made one by one', () => {
  const index = new PoolIndex();
  const sizes = (): number[] =>
    [{}, { protocol: 'http' } as const, { tags: ['x'] }].map((filter) => index.find(filter).view.size);
  for (let n = 0; n < 1000; n++) index.put(proxy(n), 0);
  expect(sizes()).toEqual([1000, 1000, 0]);
  for (const count of [10, 700]) {
    for (let n = 0; n < count; n++) index.put({ ...proxy(n), protocol: 'socks5', tags: ['x'] }, 0);
    expect(sizes()).toEqual([1000, 1000 - count, count]);
  }
  for (let n = 0; n < 600; n++) index.remove(idOf(n));
  expect(sizes()).toEqual([400, 300, 100]);
});

describe('weights', () => {
  it.each([1e-300, 1e-46, 5e-324, 1e30, 1e300])('of %d are weights: one is chosen', (weight) => {
    const index = new PoolIndex();
    for (const n of [1, 2, 3]) index.put({ ...proxy(n), weight }, 0);
    const candidates = new Exclusion(index, [], []).candidates(index.find({}).view);
    for (const random of [0, 0.5, 0.999999]) expect([0, 1, 2]).toContain(candidates.weighted(() => random));
    // The first blocks are empty.
    for (let n = 4; n < 900; n++) index.put({ ...proxy(n), weight }, 0);
    for (let n = 1; n < 800; n++) index.remove(idOf(n));
    const rest = new Exclusion(index, [], []).candidates(index.find({}).view);
    for (const random of [0, 0.5, 0.999999]) expect(rest.has(rest.weighted(() => random))).toBe(true);
  });
});

describe('rendezvous hashing', () => {
  const KEYS = 40_000;
  const keys = (index: PoolIndex): (string | undefined)[] => {
    const candidates = new Exclusion(index, [], []).candidates(index.find({}).view);
    return Array.from({ length: KEYS }, (_, key) =>
      index.columns.id(candidates.forKey(Math.imul(key, 0x9e3779b1) >>> 0)),
    );
  };

  // In a tree of n leaves each level moves about 1 / 2n of the keys: 1 + log2(n) / 2 times what is needed, and the bound is twice that.
  it.each([1, 2, 10, 100, 1000])(
    'with %i proxies few keys move when one comes, and back when it goes',
    (count) => {
      const index = new PoolIndex();
      for (let n = 0; n < count; n++) index.put(proxy(n), 0);
      const before = keys(index);
      index.put(proxy(count), 0);
      const after = keys(index);
      const moved = after.filter((id, key) => id !== before[key]);
      const share = 1 / (count + 1);
      expect(moved.length / KEYS).toBeLessThan(2 * share * (1 + Math.log2(count + 1) / 2));
      // Its fair share, give or take six standard deviations and a hash that is not perfect.
      const its = after.filter((id) => id === idOf(count)).length;
      const deviation = Math.sqrt(KEYS * share * (1 - share));
      expect(Math.abs(its - KEYS * share)).toBeLessThan(6 * deviation + 0.35 * KEYS * share);
      index.remove(idOf(count));
      expect(keys(index)).toEqual(before);
    },
  );

  it('finds the only one that is not excluded for every key', () => {
    const index = new PoolIndex();
    for (let n = 0; n < 33; n++) index.put(proxy(n), 0);
    const exclude = Array.from({ length: 32 }, (_, n) => idOf(n + (n < 20 ? 0 : 1)));
    const candidates = new Exclusion(index, exclude, []).candidates(index.find({}).view);
    for (let key = 0; key < 300; key++)
      expect(index.columns.id(candidates.forKey(Math.imul(key, 0x9e3779b1) >>> 0))).toBe(idOf(20));
  });

  it('gives each proxy about as many keys as the others, whatever the order in which they came', () => {
    const [one, other] = [new PoolIndex(), new PoolIndex()];
    for (let n = 0; n < 50; n++) one.put(proxy(n), 0);
    for (let n = 99; n >= 0; n--) other.put(proxy(n), 0);
    for (let n = 50; n < 100; n++) other.remove(idOf(n));
    const given = keys(one);
    expect(keys(other)).toEqual(given);
    const counts = new Map<string | undefined, number>();
    for (const id of given) counts.set(id, (counts.get(id) ?? 0) + 1);
    expect(counts.size).toBe(50);
    // 800 each, with a standard deviation of 28.
    for (const n of counts.values())
      expect(Math.abs(n - KEYS / 50)).toBeLessThan(6 * 28 + 0.35 * (KEYS / 50));
  });
});

describe('a Set of excluded ids', () => {
  it('that grows, shrinks and begins again has its ids excluded, and no others', () => {
    const index = new PoolIndex();
    for (let n = 0; n < 60; n++) index.put({ ...proxy(n), protocol: n % 2 === 0 ? 'http' : 'socks5' }, 0);
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), n: fc.nat({ max: 70 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), n: fc.nat({ max: 70 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('refill' as const), n: fc.nat({ max: 70 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const ids = new Set(Array.from({ length: 40 }, (_, n) => idOf(n)));
        for (const { kind, n } of steps) {
          const { size } = ids;
          if (kind === 'add') ids.add(idOf(n));
          else if (kind === 'delete') ids.delete(idOf(n));
          else {
            ids.clear();
            for (let each = 0; each < 41; each++) ids.add(idOf((n + each) % 71));
          }
          // As many ids as before: then only what is chosen is looked up.
          if (ids.size === size && kind === 'refill') return;
          for (const filter of [{}, { protocol: 'http' as const }]) {
            const fitting = Array.from({ length: 60 }, (_, each) => each).filter(
              (each) => !ids.has(idOf(each)) && (filter.protocol === undefined || each % 2 === 0),
            );
            const candidates = new Exclusion(index, ids, []).candidates(index.find(filter).view);
            expect([...candidates].map((slot) => index.columns.id(slot))).toEqual(fitting.map(idOf));
          }
        }
      }),
    );
  });

  it('that the caller changes between two choices is always the one that holds', () => {
    const index = new PoolIndex();
    for (let n = 0; n < 60; n++) index.put(proxy(n), 0);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 59 }), fc.nat({ max: 59 })), { minLength: 1, maxLength: 20 }),
        fc.nat({ max: 59 }),
        (swaps, first) => {
          const ids = new Set(Array.from({ length: 45 }, (_, n) => idOf((first + n) % 60)));
          for (const [out, into] of swaps) {
            const wasThere = ids.delete(idOf(out));
            if (wasThere) ids.add(idOf(into));
            const exclusion = new Exclusion(index, ids, []);
            let slot = exclusion.candidates(index.find({}).view).any(() => 0.5);
            if (exclusion.isOutdated(slot)) slot = exclusion.candidates(index.find({}).view).any(() => 0.5);
            expect(ids.has(index.columns.id(slot))).toBe(false);
          }
        },
      ),
    );
  });
});
