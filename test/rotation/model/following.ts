import { expect, vi } from 'vitest';
import { chooseLease } from './choosing.ts';
import { beginLease, isSame } from './pool-model.ts';
import { type Answer, answersCome, type Real } from './real.ts';
import type { Model, Waiter } from './state.ts';

/** While somebody waits, the pool looks so often what others have changed. Milliseconds. */
const LOOK = 250;

/** Follows whom the pool has served, and sees to it that nobody waits who could have a proxy. */
export async function settle(model: Model, real: Real): Promise<void> {
  await followAll(model, real);
  if (model.waiters.length === 0) return;
  vi.advanceTimersByTime(LOOK);
  for (const waiter of model.waiters) waiter.waited += LOOK;
  await followAll(model, real);
  for (const waiter of model.waiters) {
    expect(waiter.waited, 'a wait lasts no longer than its deadline').toBeLessThan(waiter.waitMs);
    expect(chooseLease(model, waiter.request).allowed, 'who waits could have a proxy').toBeNull();
  }
}

/** Follows the answers that there are so far. */
export async function followAll(model: Model, real: Real): Promise<void> {
  await answersCome();
  for (const answer of real.answers.splice(0)) follow(model, real, answer);
}

function follow(model: Model, real: Real, { key, lease, error }: Answer): void {
  const waiter = model.waiters.find((each) => each.key === key) as Waiter;
  expect(waiter, 'a call has one answer').toBeDefined();
  const before = model.waiters.slice(0, model.waiters.indexOf(waiter));
  const choice = chooseLease(model, waiter.request);
  model.waiters = model.waiters.filter((each) => each !== waiter);
  if (lease === null) {
    expect(error).toMatchObject({ code: 'NO_PROXY' });
    if (choice.allowed !== null) throw new Error(`${key} was refused, though a proxy is ready.`);
    expect(error.details).toEqual(choice.details);
    expect(waiter.waited >= waiter.waitMs || !choice.mayCome, 'a wait ends when its time is over').toBe(true);
    return;
  }
  for (const { request } of before)
    expect(chooseLease(model, request).allowed, 'who came before is served before').toBeNull();
  expect(before.some(({ request }) => isSame(request, waiter.request))).toBe(false);
  const proxy = (choice.allowed ?? []).find(({ id }) => id === lease.proxy.id);
  expect(
    choice.allowed?.map(({ id }) => id),
    `${key} was given`,
  ).toContain(lease.proxy.id);
  if (proxy === undefined) return;
  real.keep(key, lease);
  beginLease(model, proxy, { ...waiter, isStored: false });
}
