import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { PROXY_STATUSES, type ProxyStatus } from '../../../src/model/proxy.ts';
import { Exclusion } from '../../../src/rotation/exclusion.ts';
import type { Filter } from '../../../src/rotation/index/filter.ts';
import { SlotSet } from '../../../src/rotation/index/slot-set.ts';
import { View } from '../../../src/rotation/index/view.ts';
import { PoolIndex } from '../../../src/rotation/pool-index.ts';
import { idOf, proxy } from './indexed-proxy.ts';

/** What the index is compared with. */
interface Known {
  id: string;
  status: ProxyStatus;
  country: 'DE' | 'US';
  weight: number;
  handOuts: number;
  isOut: boolean;
  isReturning: boolean;
  isProven: boolean;
  gateway: boolean;
}

const FILTERS: Filter[] = [{}, { country: 'DE' }, { country: 'US', protocol: 'http' }];
/** More ids than are compared one by one, and fewer. */
const SETS = [new Set([1, 5]), new Set(Array.from({ length: 45 }, (_, n) => 2 * n))];

const number = fc.nat({ max: 90 });
const flag = fc.boolean();
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      number,
      fields: fc.record({
        status: fc.constantFrom<ProxyStatus>('active', 'active', 'failed', ...PROXY_STATUSES),
        country: fc.constantFrom('DE' as const, 'US' as const),
        weight: fc.constantFrom<number>(0.25, 1, 3, 1000),
        handOuts: fc.nat({ max: 4 }),
        gateway: flag,
        isProven: flag,
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), number }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('out' as const), number, flag }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('returning' as const), number, flag }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('proven' as const), number, flag }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hand out' as const), number }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('scope' as const), which: fc.nat({ max: 1 }), number, flag }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fill scope' as const), number }) },
  // Of a small pool so many changes make the views again.
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('many' as const), times: fc.constantFrom(120, 300) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('exclude' as const), number }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('look' as const),
      filter: fc.constantFrom(...FILTERS),
      set: fc.constantFrom(null, 0, 1),
      scopes: fc.constantFrom([], [0], [1], [0, 1]),
      random: fc.double({ min: 0, max: 0.999999, noNaN: true }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Pair {
  readonly index: PoolIndex;
  readonly known = new Map<number, Known>();
  readonly scopes = [new SlotSet(), new SlotSet()];
  readonly sets = SETS.map((numbers) => new Set([...numbers].map(idOf)));

  constructor(expected: number) {
    this.index = new PoolIndex(expected);
  }

  take(each: Exclude<Step, { kind: 'look' }>): void {
    const { index } = this;
    if (each.kind === 'put') this.#put(each.number, each.fields);
    else if (each.kind === 'remove') this.#remove(each.number);
    else if (each.kind === 'scope') this.#scope(each.which, each.number, each.flag);
    else if (each.kind === 'exclude') this.sets[1]?.add(idOf(each.number));
    else if (each.kind === 'fill scope')
      for (let n = 0; n < 40; n++) this.#scope(1, (each.number + n) % 91, true);
    else if (each.kind === 'many')
      for (let n = 0; n < each.times; n++) {
        const [first] = this.known.keys();
        if (first !== undefined) this.#out(first, n % 2 === 0);
      }
    else {
      const known = this.known.get(each.number);
      if (known === undefined) return;
      const slot = index.slotOf(known.id);
      if (each.kind === 'out') this.#out(each.number, each.flag);
      else if (each.kind === 'hand out') {
        known.handOuts++;
        index.measures.handedOut(slot, 0);
      } else if (each.kind === 'returning') {
        known.isReturning = each.flag;
        index.setReturning(slot, each.flag);
      } else {
        known.isProven = each.flag;
        index.setProven(slot, each.flag);
      }
    }
  }

  #put(
    n: number,
    fields: Pick<Known, 'status' | 'country' | 'weight' | 'handOuts' | 'gateway' | 'isProven'>,
  ) {
    const before = this.known.get(n);
    const { handOuts, isProven } = fields;
    this.index.put(proxy(n, fields), 0);
    this.known.set(n, {
      ...fields,
      id: idOf(n),
      handOuts: before === undefined ? handOuts : Math.max(before.handOuts, this.#handOuts(n)),
      isOut: before?.isOut ?? false,
      isReturning: before?.isReturning ?? false,
      isProven: isProven || (before?.isProven ?? false),
    });
  }

  /** What measures are right is tested elsewhere. */
  #handOuts(n: number): number {
    return this.index.measures.handOuts(this.index.slotOf(idOf(n)));
  }

  #remove(n: number): void {
    const slot = this.index.slotOf(idOf(n));
    // Whoever frees a slot takes it out of scopes.
    if (slot !== -1) for (const scope of this.scopes) scope.delete(slot);
    this.index.remove(idOf(n));
    this.known.delete(n);
  }

  #out(n: number, isOut: boolean): void {
    const known = this.known.get(n) as Known;
    const slot = this.index.slotOf(known.id);
    const { count } = this.index.log;
    this.index.setOut(slot, isOut);
    expect(this.index.log.count - count).toBe(known.isOut === isOut ? 0 : 1);
    known.isOut = isOut;
  }

  #scope(which: number, n: number, isIn: boolean): void {
    const slot = this.index.slotOf(idOf(n));
    if (slot === -1) return;
    if (isIn) this.scopes[which]?.add(slot);
    else this.scopes[which]?.delete(slot);
  }
}

const nothing = (): boolean => false;

function scopeOf(first: number, count: number): SlotSet {
  const scope = new SlotSet();
  for (let n = 0; n < count; n++) scope.add(first + n);
  return scope;
}

const isUsable = ({ status, isReturning }: Known): boolean =>
  status === 'active' || (status === 'failed' && isReturning);

function look(pair: Pair, { filter, set, scopes, random }: Extract<Step, { kind: 'look' }>): void {
  const { index, known } = pair;
  const ids = set === null ? new Set<string>() : (pair.sets[set] as Set<string>);
  const chosenScopes = scopes.map((which) => pair.scopes[which] as SlotSet);
  const slotOf = ({ id }: Known): number => index.slotOf(id);
  const fitting = [...known.values()].filter(
    (each) => isUsable(each) && (filter.country === undefined || each.country === filter.country),
  );
  const isIn = (each: Known): boolean => chosenScopes.some((scope) => scope.has(slotOf(each)));
  const ready = fitting
    .filter((each) => !each.isOut && !ids.has(each.id) && !isIn(each))
    .sort((a, b) => slotOf(a) - slotOf(b));
  const slots = ready.map(slotOf);

  const { view, fits } = index.find(filter);
  expect([...view]).toEqual(
    fitting
      .filter(({ isOut }) => !isOut)
      .map(slotOf)
      .sort((a, b) => a - b),
  );
  const exclusion = new Exclusion(index, ids, [], chosenScopes);
  const candidates = exclusion.candidates(view);
  expect([...candidates]).toEqual(slots);
  expect(candidates.isEmpty).toBe(slots.length === 0);
  if (exclusion.isEmpty) expect([...candidates]).toEqual([...view]);
  expect(exclusion.isEmpty && chosenScopes.some(({ size }) => size > 0)).toBe(false);
  for (const each of known.values()) {
    const slot = slotOf(each);
    expect(fits(slot)).toBe(fitting.includes(each));
    expect(index.isUsable(slot)).toBe(isUsable(each));
    expect([index.isOut(slot), index.isProven(slot), index.isGateway(slot)]).toEqual([
      each.isOut,
      each.isProven,
      each.gateway,
    ]);
    expect(exclusion.hasId(slot)).toBe(ids.has(each.id));
    expect(exclusion.has(slot)).toBe(ids.has(each.id) || isIn(each));
    expect(candidates.has(slot)).toBe(ready.includes(each));
  }
  expect([-1, ...slots].includes(candidates.any(() => random))).toBe(true);
  expect(candidates.any(() => random) === -1).toBe(slots.length === 0);
  expect([-1, ...slots].includes(candidates.weighted(() => random))).toBe(true);
  expect(candidates.weighted(() => random) === -1).toBe(slots.length === 0);
  expect([-1, ...slots].includes(candidates.forKey(Math.floor(random * 2 ** 32)))).toBe(true);
  expect(candidates.forKey(Math.floor(random * 2 ** 32)) === -1).toBe(slots.length === 0);
  for (const each of [view, index.without(view, ids, chosenScopes)]) {
    const fresh = new View(index.capacity, index.end, (slot) => each.has(slot));
    const keyed = (of: View): number[] =>
      Array.from({ length: 8 }, (_, n) =>
        of.forKey(Math.floor(random * 2 ** 28) * n, index.buckets, nothing),
      );
    expect(keyed(each)).toEqual(keyed(fresh));
  }
  const least = ready.reduce<Known | null>(
    (best, each) => (best === null || each.handOuts < best.handOuts ? each : best),
    null,
  );
  expect(candidates.leastUsed()).toBe(least === null ? -1 : slotOf(least));
  for (const slot of [-1, Math.floor(random * index.end)])
    expect(candidates.after(slot)).toBe(slots.find((each) => each > slot) ?? slots[0] ?? -1);
}

describe('slots that are out', () => {
  it('are in no view and no choice, whatever else changes, until they come back', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 200 }),
        fc.constantFrom(0, 30, 200),
        fc.boolean(),
        (steps, expected, isFull) => {
          const pair = new Pair(expected);
          if (isFull)
            for (let n = 0; n < 91; n++)
              pair.take({
                kind: 'put',
                number: n,
                fields: {
                  status: n % 7 === 0 ? 'failed' : 'active',
                  country: n % 3 === 0 ? 'US' : 'DE',
                  weight: 1 + (n % 5),
                  handOuts: n % 4,
                  gateway: n % 2 === 0,
                  isProven: n % 3 === 0,
                },
              });
          for (const each of steps) {
            if (each.kind === 'look') look(pair, each);
            else pair.take(each);
          }
          look(pair, { kind: 'look', filter: {}, set: 1, scopes: [0, 1], random: 0.5 });
        },
      ),
      { numRuns: 80 },
    );
  });
});

it('views follow the pool and what is left out, and are not made again', () => {
  const index = new PoolIndex(5000);
  for (let n = 0; n < 4000; n++) index.put(proxy(n), 0);
  const ids = new Set(Array.from({ length: 100 }, (_, n) => idOf(n)));
  const scope = new SlotSet();
  for (let slot = 90; slot < 200; slot++) scope.add(slot);
  const views = (): View[] => {
    const { view } = index.find({});
    return [
      view,
      index.without(view, ids),
      index.without(view, null, [scope]),
      index.without(view, ids, [scope]),
    ];
  };
  const before = views();
  expect(before.map(({ size }) => size)).toEqual([4000, 3900, 3890, 3800]);
  for (let n = 1000; n < 1010; n++) {
    index.setOut(n, true);
    scope.add(n - 800);
    ids.add(idOf(n - 700));
    index.put(proxy(n - 600, { status: 'disabled' }), 0);
    index.put(proxy(n + 3500), 0);
    expect(views()).toEqual(before);
    for (const [place, each] of views().entries()) expect(each).toBe(before[place]);
  }
  expect(before.map(({ size }) => size)).toEqual([3990, 3880, 3870, 3770]);
  // Of a view that is far from now, as many as there are slots are looked at.
  for (let n = 0; n < 3000; n++) index.setOut(n, true);
  for (const [place, each] of views().entries()) expect(each).toBe(before[place]);
  expect(before.map(({ size }) => size)).toEqual([1010, 1010, 1010, 1010]);
});

it('more changes of a scope than it remembers are followed', () => {
  const index = new PoolIndex(8000);
  for (let n = 0; n < 8000; n++) index.put(proxy(n), 0);
  const scope = new SlotSet();
  const size = (): number => index.without(index.find({}).view, null, [scope]).size;
  for (const [from, to] of [
    [0, 100],
    [100, 450],
    [450, 2000],
  ] as const) {
    for (let slot = from; slot < to; slot++) scope.add(slot);
    expect(size()).toBe(8000 - to);
  }
  for (let slot = 0; slot < 300; slot++) scope.delete(slot);
  expect(size()).toBe(6300);
});

it('a Set excludes proxies that come later, also when there was no room for them', () => {
  const index = new PoolIndex(64);
  for (let n = 0; n < 64; n++) index.put(proxy(n), 0);
  const ids = new Set(Array.from({ length: 300 }, (_, n) => idOf(20 + n)));
  const size = (): number => index.without(index.find({}).view, ids).size;
  expect(size()).toBe(20);
  // Fewer than would make the Set be read again.
  for (let n = 64; n < 264; n++) index.put(proxy(n), 0);
  expect(size()).toBe(20);
  index.remove(idOf(100));
  index.put(proxy(1000), 0);
  expect(size()).toBe(21);
});

it('the keys of a view without some proxies are those of a new one, though slots have other proxies by now', () => {
  const index = new PoolIndex(200);
  for (let n = 0; n < 100; n++) index.put(proxy(n), 0);
  const ids = new Set(Array.from({ length: 40 }, (_, n) => idOf(n)));
  const keyed = (view: View): number[] =>
    Array.from({ length: 500 }, (_, n) =>
      view.forKey(Math.imul(n, 0x9e3779b1) >>> 0, index.buckets, nothing),
    );
  const looked = (): void => {
    for (const view of [index.find({}).view, index.without(index.find({}).view, ids)])
      expect(keyed(view)).toEqual(keyed(new View(200, 100, (slot) => view.has(slot))));
  };
  looked();
  for (let n = 50; n < 90; n++) index.remove(idOf(n));
  for (let n = 50; n < 90; n++) index.put(proxy(n + 1000), 0);
  looked();
});

it('few slots of scopes are compared, many are drawn again, and most of the pool is taken out of a view', () => {
  const index = new PoolIndex();
  for (let n = 0; n < 100; n++) index.put(proxy(n), 0);
  const [few, many, most] = [scopeOf(0, 30), scopeOf(40, 33), scopeOf(10, 76)];
  const without = vi.spyOn(index, 'without');
  const sizeOf = (...scopes: SlotSet[]): number =>
    [...new Exclusion(index, [idOf(99), idOf(98)], [], scopes).candidates(index.find({}).view)].length;
  expect(sizeOf(few)).toBe(68);
  expect(sizeOf(few, many)).toBe(35);
  // One by one they would be more than a few.
  expect(sizeOf(few, scopeOf(31, 1))).toBe(67);
  expect(without).not.toHaveBeenCalled();
  expect(sizeOf(few, most)).toBe(12);
  expect(without).toHaveBeenLastCalledWith(expect.any(View), null, [most]);
  // Together they have more than three quarters.
  expect(sizeOf(many, scopeOf(0, 43))).toBe(25);
  expect(without).toHaveBeenCalledTimes(2);
});

it('a view that is made again weighs its members again', () => {
  const weights = new Float32Array(2048).fill(1);
  const view = new View(2048, 2048, (slot) => slot === 3 || slot === 900);
  expect(view.weighted(weights, () => 0.4)).toBe(3);
  view.refill(2048, (slot) => slot === 900 || slot === 2000);
  expect([0.4, 0.6].map((share) => view.weighted(weights, () => share))).toEqual([900, 2000]);
});

it('a slot that is free, or has another proxy, is not out', () => {
  const index = new PoolIndex();
  index.put(proxy(0, { status: 'failed', gateway: true, isProven: true }), 0);
  index.setOut(0, true);
  index.setReturning(0, true);
  index.remove(idOf(0));
  index.setOut(0, true);
  index.setReturning(0, true);
  expect(index.isOut(0)).toBe(false);
  index.put(proxy(1, { status: 'failed' }), 0);
  const flags = (slot: number): boolean[] => [
    index.isOut(slot),
    index.isUsable(slot),
    index.isGateway(slot),
    index.isProven(slot),
  ];
  expect(flags(0)).toEqual([false, false, false, false]);
  expect(flags(-1)).toEqual([false, false, false, false]);
  expect(flags(5)).toEqual([false, false, false, false]);
  expect(index.chosen(0)).toMatchObject({ id: idOf(1), remoteDns: true, protocol: 'http', port: 1 });
});

it('the weights in a view are exact, whatever comes, goes and gets another weight', () => {
  // Few of the slots are members, so that none is drawn at random.
  const SPREAD = 16;
  const COUNT = 64;
  const change = fc.tuple(fc.nat({ max: COUNT - 1 }), fc.constantFrom(0, 0.1, 1, 7.3, 1e6), fc.boolean());
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(change, { maxLength: 8 }), fc.nat({ max: COUNT })), { maxLength: 20 }),
      (rounds) => {
        const weights = new Float32Array(COUNT * SPREAD).fill(1);
        const view = new View(COUNT * SPREAD, COUNT * SPREAD, (slot) => slot % (2 * SPREAD) === 0);
        const members = new Set(Array.from({ length: COUNT / 2 }, (_, n) => 2 * n * SPREAD));
        for (const [changes, n] of rounds) {
          for (const [place, weight, isIn] of changes) {
            const slot = place * SPREAD;
            if (weight > 0) weights[slot] = weight;
            if (isIn) members.add(slot);
            else members.delete(slot);
            view.update(slot, isIn);
          }
          const list = [...members].sort((a, b) => a - b);
          const wanted = list[n % list.length];
          if (wanted === undefined) continue;
          const weightOf = (slot: number): number => weights[slot] as number;
          const total = list.reduce((sum, slot) => sum + weightOf(slot), 0);
          const before = list.filter((slot) => slot < wanted).reduce((sum, slot) => sum + weightOf(slot), 0);
          expect(view.weighted(weights, () => (before + weightOf(wanted) / 2) / total)).toBe(wanted);
        }
      },
    ),
  );
});

describe('domains for which much of the pool is out', () => {
  const COUNT = 2000;
  const DOMAINS = 600;

  it('cost no view each, however many they are', () => {
    const index = new PoolIndex(COUNT);
    for (let n = 0; n < COUNT; n++) index.put(proxy(n, { weight: 1 + (n % 7) }), 0);
    const scopes = Array.from({ length: DOMAINS }, (_, n) => scopeOf(2 * n, 500));
    const made = vi.spyOn(index, 'without');
    const { view } = index.find({});
    let state = 1;
    const random = (): number => {
      state = Math.imul(state, 48_271) >>> 0;
      return state / 2 ** 32;
    };
    for (const [n, scope] of scopes.entries()) {
      const candidates = new Exclusion(index, [], [], [scope]).candidates(view);
      const slots = [
        candidates.any(random),
        candidates.weighted(random),
        candidates.after(2 * n + 480),
        candidates.leastUsed(),
        candidates.forKey(n),
      ];
      expect(slots.filter((slot) => candidates.has(slot))).toEqual(slots);
      expect(candidates.isEmpty).toBe(false);
    }
    expect(made).not.toHaveBeenCalled();
  });

  it('give the same in turn and by use as a view without what is out', () => {
    const part = fc.record({
      first: fc.nat({ max: 999 }),
      count: fc.nat({ max: 400 }),
      step: fc.constantFrom(1, 1, 2, 3),
    });
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 2 }),
        fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 50 }),
        fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 5 }),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        (parts, uses, places, number) => {
          const index = new PoolIndex(1000);
          for (let n = 0; n < 1000; n++)
            index.put(proxy(n, { handOuts: uses[n % uses.length] as number }), 0);
          const scopes = parts.map(({ first, count, step: by }) => {
            const scope = new SlotSet();
            for (let n = 0; n < count; n++) scope.add((first + n * by) % 1000);
            return scope;
          });
          const { view } = index.find({});
          const isOut = (slot: number): boolean => scopes.some((scope) => scope.has(slot));
          const rest = new View(index.capacity, index.end, (slot) => view.has(slot) && !isOut(slot));
          const candidates = new Exclusion(index, [], [], scopes).candidates(view);
          const least = (): number | null => rest.least(index.handOuts, nothing, 1000);
          expect(candidates.size).toBe(rest.size);
          expect(candidates.isEmpty).toBe(rest.size === 0);
          // Twice, since a tree takes note of what it was asked.
          for (let n = 0; n < 2; n++) {
            expect(candidates.leastUsed()).toBe(least());
            expect(view.least(index.handOuts, nothing, 1000)).toBe(
              [...view].reduce((best, slot) => (index.handOuts(slot) < index.handOuts(best) ? slot : best)),
            );
          }
          for (const place of places) expect(candidates.after(place)).toBe(rest.from(place + 1));
          // Each draw gives the same number, so that what it finds is excluded each time, or never.
          for (const slot of [candidates.any(() => number), candidates.weighted(() => number)])
            expect(slot === -1 ? rest.size === 0 : rest.has(slot)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});

it('the views that were used last are kept, and the others are made again', () => {
  const index = new PoolIndex(200);
  for (let n = 0; n < 200; n++) index.put(proxy(n), 0);
  const { view } = index.find({});
  const scopes = Array.from({ length: 600 }, (_, n) => scopeOf(n % 100, 90));
  const viewOf = (n: number): View => index.without(view, null, [scopes[n] as SlotSet]);
  const [first, second] = [viewOf(0), viewOf(1)];
  for (let n = 2; n < 600; n++) {
    viewOf(n);
    expect(viewOf(0)).toBe(first);
  }
  expect(viewOf(1)).not.toBe(second);
});
