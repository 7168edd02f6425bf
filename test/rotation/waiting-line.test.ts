import { describe, expect, it } from 'vitest';
import type { Lease } from '../../src/rotation/lease.ts';
import { wantedBy } from '../../src/rotation/request.ts';
import { WaitingLine } from '../../src/rotation/waiting.ts';

/** A line in which each of `count` calls wants something else, and what has become of them. */
function lineOf(count: number) {
  const line = new WaitingLine();
  const served: number[] = [];
  const leave = Array.from({ length: count }, (_, n) =>
    line.add({
      asked: { wanted: wantedBy({ session: `s${n}` }), leaseMs: undefined, isStored: false },
      resolve: () => served.push(n),
      reject: () => served.push(-n),
    }),
  );
  return { line, served, leave };
}

const numberOf = ({ asked }: { asked: { wanted: { session: string | undefined } } }): number =>
  Number(asked.wanted.session?.slice(1));
const LEASE = { [Symbol.dispose]() {} } as Lease;

describe('a waiting line', () => {
  it('asks those further behind too, if those before them want what is not there', () => {
    const { line, served } = lineOf(1500);
    const asked = new Set<number>();
    for (let n = 0; n < 10; n++)
      line.serve(
        (waiter) => {
          asked.add(numberOf(waiter));
          return numberOf(waiter) === 1499 ? LEASE : null;
        },
        () => false,
      );
    expect(asked.size).toBe(1500);
    expect(served).toEqual([1499]);
    expect(line.size).toBe(1499);
  });

  it('asks few each time', () => {
    const { line } = lineOf(10_000);
    let asked = 0;
    line.serve(
      () => {
        asked++;
        return null;
      },
      () => false,
    );
    expect(asked).toBeLessThanOrEqual(400);
  });

  it('goes past those whose wait a listener ends meanwhile', () => {
    const { line, served, leave } = lineOf(5);
    line.serve(
      (waiter) => {
        if (numberOf(waiter) === 0) for (const n of [1, 2, 3]) leave[n]?.();
        return LEASE;
      },
      () => false,
    );
    expect(served).toEqual([0, 4]);
    expect(line.size).toBe(0);
  });
});
