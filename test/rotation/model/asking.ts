import fc from 'fast-check';
import { expect } from 'vitest';
import { type Choice, choose, chooseLease } from './choosing.ts';
import { DOMAINS } from './comparison.ts';
import { beginLease, handOut, mustWait } from './pool-model.ts';
import { answersCome } from './real.ts';
import type { ModelProxy, Request } from './state.ts';
import { refusalOf, Step } from './step.ts';

export const IDS = ['a', 'b', 'c', 'd', 'e'];
export const id = fc.constantFrom(...IDS);
export const domain = fc.option(fc.constantFrom(...DOMAINS), { nil: undefined });
export const session = fc.option(fc.constantFrom('s', 't'), { nil: undefined, freq: 2 });
const request: fc.Arbitrary<Request> = fc.record({
  domain,
  session,
  exclude: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.subarray(IDS) },
    // This one, and no other.
    { weight: 2, arbitrary: fc.constantFrom(...IDS).map((only) => IDS.filter((other) => other !== only)) },
  ),
});
const leaseMs = fc.constantFrom(undefined, undefined, 500, 400_000);

let keys = 0;

/** Asks for a lease without waiting. */
const tryAcquire = fc.record({ request, leaseMs, isStored: fc.boolean() }).map(
  (asked) =>
    new Step('tryAcquire', asked, (model, real) => {
      const { request: wanted, isStored } = asked;
      const key = ++keys;
      const choice = chooseLease(model, wanted);
      const given = asking(() =>
        real.pool.tryAcquire({ ...wanted, leaseMs: asked.leaseMs, stored: isStored }),
      );
      if (given.result !== null) real.keep(key, given.result);
      const proxy = follow(choice, given.result?.proxy.id ?? null, given.error);
      if (proxy !== null) beginLease(model, proxy, { ...asked, key });
    }),
);

/** Asks for a lease, and waits if none is ready. */
const acquire = fc
  .record({ request, leaseMs, waitMs: fc.constantFrom(1_000_000, 1_000_000, 1200, 400, 0) })
  .map(
    (asked) =>
      new Step('acquire', asked, async (model, real) => {
        const { request: wanted, waitMs } = asked;
        const key = ++keys;
        const verdict = mustWait(model, wanted, waitMs);
        if (typeof verdict !== 'object') model.waiters.push({ key, ...asked, waited: 0 });
        real.acquire(key, { ...wanted, leaseMs: asked.leaseMs, waitMs });
        await answersCome();
        const answer = real.answers.find((each) => each.key === key);
        if (typeof verdict !== 'object') {
          expect(answer === undefined, 'it waits').toBe(verdict);
          return;
        }
        real.answers = real.answers.filter((each) => each !== answer);
        expect(refusalOf(answer?.error)).toEqual(verdict.details);
      }),
  );

/** Asks for a proxy without a lease; `rotate` for another one than the session has. */
const chooseOne = fc.record({ request, isRotating: fc.boolean() }).map(
  (asked) =>
    new Step('choose', asked, (model, real) => {
      const { request: wanted, isRotating } = asked;
      const choice = choose(model, wanted, isRotating);
      const given = asking(() => (isRotating ? real.pool.rotate(wanted) : real.pool.choose(wanted)));
      const proxy = follow(choice, given.result?.id ?? null, given.error);
      if (proxy !== null) handOut(model, proxy, wanted);
    }),
);

/** Gives up a wait. */
const abort = fc.nat(9).map(
  (number) =>
    new Step(
      'abort',
      number,
      async (model, real) => {
        const waiter = model.waiters[number % model.waiters.length];
        if (waiter === undefined) return;
        const reason = new Error('enough');
        real.aborts.get(waiter.key)?.abort(reason);
        await answersCome();
        model.waiters = model.waiters.filter((each) => each !== waiter);
        expect(real.answers.splice(0)).toEqual([{ key: waiter.key, lease: null, error: reason }]);
      },
      ({ waiters }) => waiters.length > 0,
    ),
);

export const asks = [
  { weight: 8, arbitrary: tryAcquire },
  { weight: 6, arbitrary: acquire },
  { weight: 2, arbitrary: chooseOne },
  { weight: 1, arbitrary: abort },
];

function asking<T>(ask: () => T): { result: T; error: null } | { result: null; error: unknown } {
  try {
    return { result: ask(), error: null };
  } catch (error) {
    return { result: null, error };
  }
}

/** The proxy that was given, which must be one that may be; null if there was rightly none. */
function follow(choice: Choice, given: string | null, error: unknown): ModelProxy | null {
  if (choice.allowed === null) {
    expect({ given, details: given === null ? refusalOf(error) : null }).toEqual({
      given: null,
      details: choice.details,
    });
    return null;
  }
  if (given === null) throw error;
  expect(choice.allowed.map((proxy) => proxy.id)).toContain(given);
  return choice.allowed.find((proxy) => proxy.id === given) as ModelProxy;
}
