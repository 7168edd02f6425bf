import { expect, it, onTestFinished, vi } from 'vitest';
import { RotationTurnsRepository } from '../../src/database/repositories/rotation-turns.repository.ts';
import { PoolIndex } from '../../src/rotation/pool-index.ts';
import { proxy } from './index/indexed-proxy.ts';
import { open, START } from './open-pool.ts';

/** So many views of filters, and of each Set, and so many turns are kept. */
const VIEWS = 256;
const TURNS = 10_000;

function indexOf(proxies: number): PoolIndex {
  const index = new PoolIndex(proxies);
  for (let n = 0; n < proxies; n++) index.put(proxy(n, { id: `p${n}`, port: 1 + n, region: `r${n}` }), START);
  return index;
}

it('the views that were not used for longest are made again, and those in use are kept', () => {
  const index = indexOf(2 * VIEWS);
  const viewOf = (n: number): unknown => index.find({ region: `r${n}` }).view;
  const [used, unused] = [viewOf(0), viewOf(1)];
  for (let n = 2; n < VIEWS; n++) viewOf(n);
  expect([viewOf(0), viewOf(1)]).toEqual([used, unused]);
  expect(viewOf(1)).toBe(unused);
  for (let n = VIEWS; n < 2 * VIEWS; n++) {
    viewOf(n);
    expect(viewOf(0)).toBe(used);
  }
  expect(viewOf(1)).not.toBe(unused);
});

it('of the views without a Set so many that were used last are kept, and twice as many at most', () => {
  const index = indexOf(2 * VIEWS + 1);
  const ids = new Set(Array.from({ length: 40 }, (_, n) => `p${n}`));
  const views = Array.from({ length: 2 * VIEWS + 1 }, (_, n) => index.find({ notTags: [`t${n}`] }).view);
  const rests = views.map((view) => index.without(view, ids));
  const again = (n: number): unknown => index.without(views[n] as (typeof views)[number], ids);
  for (let n = VIEWS + 1; n <= 2 * VIEWS; n++) expect(again(n)).toBe(rests[n]);
  expect(again(0)).not.toBe(rests[0]);
  expect(rests.at(-1)?.size).toBe(2 * VIEWS + 1 - 40);
});

it('turns of many filters are forgotten, and continue from what the database has', {
  timeout: 30_000,
}, async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { vault, pool, next, ids } = await open(3);
  const tags = Array.from({ length: 14 }, (_, n) => `t${n}`);
  for (const id of ids) for (const tag of tags) vault.tags.add(id, tag, 'test');
  const get = vi.spyOn(RotationTurnsRepository.prototype, 'get');
  expect([next(), next()]).toEqual(['a', 'b']);
  // What waits is stored.
  vi.advanceTimersByTime(200);
  const read = get.mock.calls.length;
  for (let n = 1; n < TURNS; n++) pool.choose({ tags: tags.filter((_, bit) => (n >> bit) & 1) });
  const before = get.mock.calls.length;
  expect(before - read).toBe(TURNS - 1);
  expect(next()).toBe('c');
  expect(get.mock.calls.length).toBe(before);
  vi.advanceTimersByTime(200);
  pool.choose({ tags: tags.filter((_, bit) => (TURNS >> bit) & 1) });
  expect(next()).toBe('a');
  expect(get.mock.calls.length).toBe(before + 2);
});
