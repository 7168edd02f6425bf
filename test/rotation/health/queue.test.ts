import fc from 'fast-check';
import { expect, it } from 'vitest';

import { CooldownQueue } from '../../../src/rotation/health/cooldown-queue.ts';

it('gives items in the order of their times, whatever was set again or taken out', () => {
  const step = fc.record({ item: fc.nat(20), due: fc.oneof(fc.nat(50), fc.constant(null)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new CooldownQueue<{ due: number; place: number }>();
      const items = Array.from({ length: 21 }, () => ({ due: Number.POSITIVE_INFINITY, place: -1 }));
      const expected = new Map<object, number>();
      for (const { item: number, due } of steps) {
        const item = items[number] as { due: number; place: number };
        queue.set(item, due ?? Number.POSITIVE_INFINITY);
        if (due === null) expected.delete(item);
        else expected.set(item, due);
        expect(queue.nextDue).toBe(Math.min(...expected.values()));
      }
      const given: (number | undefined)[] = [];
      for (let item = queue.takeDue(1000); item !== null; item = queue.takeDue(1000))
        given.push(expected.get(item));
      expect(given).toEqual([...expected.values()].sort((a, b) => a - b));
    }),
  );
});
