import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LeastTree } from '../../../src/rotation/index/least-tree.ts';
import { SumTree } from '../../../src/rotation/index/sum-tree.ts';

const value = fc.oneof(fc.constant(0), fc.nat({ max: 9 }), fc.double({ min: 0.01, max: 1e6, noNaN: true }));
const changes = fc.array(fc.tuple(fc.nat(), value), { maxLength: 30 });

it('a tree of sums has the total of a plain list, finds where a share falls, and the next that is not 0', () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 40 }),
      changes,
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      (values, sets, share) => {
        const tree = new SumTree(Float64Array.from(values));
        const list = [...values];
        for (const [place, number] of sets) {
          const block = place % list.length;
          list[block] = number;
          tree.set(block, number);
          expect(tree.valueOf(block)).toBe(number);
        }
        const total = list.reduce((sum, each) => sum + each, 0);
        expect(tree.total).toBeCloseTo(total, 6 - Math.ceil(Math.log10(total + 1)));
        for (let block = 0; block <= list.length; block++)
          expect(tree.nextFrom(block)).toBe(list.findIndex((each, at) => at >= block && each > 0));
        if (total === 0) return;
        const { block, rest } = { ...tree.find(share * tree.total) };
        const before = list.slice(0, block).reduce((sum, each) => sum + each, 0);
        expect(list[block]).toBeGreaterThan(0);
        expect(before + rest).toBeCloseTo(share * tree.total, 3);
        expect(rest).toBeLessThanOrEqual((list[block] ?? 0) * (1 + 1e-9) + 1e-6);
      },
    ),
  );
});

it('a tree of the least finds the first of the least numbers of a plain list, though numbers have grown since', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 3 })), { maxLength: 40 }),
      (values, grows) => {
        const tree = new LeastTree(Float64Array.from(values));
        const list = [...values];
        for (const [place, by] of grows) {
          list[place % list.length] = (list[place % list.length] ?? 0) + by;
          // A lower bound that is too low is corrected when it is met.
          while (list[tree.first()] !== tree.bound) tree.set(tree.first(), list[tree.first()] ?? 0);
          expect(tree.bound).toBe(Math.min(...list));
          expect(tree.first()).toBe(list.indexOf(Math.min(...list)));
        }
        for (let block = 0; block < list.length; block++) tree.set(block, Number.POSITIVE_INFINITY);
        expect(tree.bound).toBe(Number.POSITIVE_INFINITY);
      },
    ),
  );
});
