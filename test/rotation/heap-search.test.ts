import fc from 'fast-check';
import { expect, it } from 'vitest';

import { DueQueue } from '../../src/rotation/due-queue.ts';
import { OutCounts } from '../../src/rotation/out-counts.ts';

interface Thing {
  name: number;
  value: number;
}

/** Finds the least value, by name if it is that of several; counts how many things it looked at. */
function leastOf(queue: DueQueue<Thing>, isMeant: (thing: Thing) => boolean) {
  let least: Thing = { name: -1, value: Number.POSITIVE_INFINITY };
  let looks = 0;
  queue.search((thing) => {
    looks++;
    const isLess = thing.value < least.value || (thing.value === least.value && thing.name < least.name);
    if (isLess && isMeant(thing)) least = thing;
    return least.value;
  });
  return { name: least.name, looks };
}

it('finds the least of values that are never less than what a heap is ordered by', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ due: fc.nat(30), later: fc.constantFrom(0, 0, 1, 20), isMeant: fc.boolean() }), {
        maxLength: 100,
      }),
      (given) => {
        const queue = new DueQueue<Thing>();
        const things = given.map(({ due, later }, name) => ({ name, value: due + later }));
        // The last name first, so that of equal ones the first is deep in the heap.
        for (const thing of things.toReversed()) queue.add(given[thing.name]?.due ?? 0, thing);
        const isMeant = ({ name }: Thing): boolean => given[name]?.isMeant === true;
        const [first] = things.filter(isMeant).sort((a, b) => a.value - b.value || a.name - b.name);
        expect(leastOf(queue, isMeant).name).toBe(first?.name ?? -1);
      },
    ),
  );
});

it('looks at few of many', () => {
  const queue = new DueQueue<Thing>();
  // Each number once, in no order.
  for (let n = 0; n < 50_000; n++) {
    const name = (n * 7919) % 50_000;
    queue.add(name, { name, value: name });
  }
  expect(leastOf(queue, () => true)).toEqual({ name: 0, looks: 1 });
  const rare = leastOf(queue, ({ name }) => name % 100 === 99);
  expect(rare.name).toBe(99);
  expect(rare.looks).toBeLessThan(2000);
});

it('counts of reasons follow the changes, whatever is counted and how often', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ slot: fc.nat(40), reasons: fc.nat(15), times: fc.constant(1) }) },
    { weight: 1, arbitrary: fc.record({ slot: fc.nat(40), reasons: fc.nat(15), times: fc.constant(5001) }) },
    { weight: 4, arbitrary: fc.record({ by: fc.constantFrom(1, 2, 3), generation: fc.nat(1) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const counts = new OutCounts();
      const reasons = new Uint8Array(41);
      let base = 0;
      for (const each of steps) {
        if ('slot' in each)
          for (let n = 0; n < each.times; n++) {
            const to = (each.reasons + n) % 16;
            counts.changed(each.slot, reasons[each.slot] as number, to);
            reasons[each.slot] = to;
          }
        else {
          base += each.generation;
          const { by } = each;
          const found = counts.of(`${by}`, base, (slot) => slot % by === 0, reasons);
          for (let wanted = 1; wanted < 16; wanted++)
            expect(found[wanted]).toBe(
              [...reasons].filter((is, slot) => is === wanted && slot % by === 0).length,
            );
        }
      }
    }),
  );
});

it('what was counted once is not counted again', () => {
  const counts = new OutCounts();
  const reasons = new Uint8Array(60_000).fill(1);
  let looks = 0;
  const busy = (generation = 0): number | undefined => {
    looks = 0;
    return counts.of('', generation, () => ++looks > 0, reasons)[1];
  };
  expect([busy(), looks]).toEqual([60_000, 60_000]);
  expect([busy(), looks]).toEqual([60_000, 0]);
  for (let slot = 0; slot < 10; slot++) {
    counts.changed(slot, 1, 0);
    reasons[slot] = 0;
  }
  expect([busy(), looks]).toEqual([59_990, 10]);
  expect([busy(1), looks]).toEqual([59_990, 59_990]);
});
