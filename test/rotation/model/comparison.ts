import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { isUsable, stateOf } from './absence.ts';
import { choose, countLeases } from './choosing.ts';
import type { Real } from './real.ts';
import { type Totals, totalsOf } from './restart.ts';
import { heldBy, type Model, wallAt } from './state.ts';

export const DOMAINS = ['x.example', 'y.example', 'z.example'];

/** What has happened in all runs: a test that meets nothing finds nothing. */
export const met = new Set<string>();

function meet(model: Model): void {
  for (const { source, state, scope, times } of model.outs)
    met
      .add(`${state} by ${source}${scope === '' ? '' : ` for a ${scope.split(' ')[0]}`}`)
      .add(`${times} times`);
  if (model.waiters.length > 0) met.add('a wait');
  if (model.ended.late > 0) met.add('a late report');
  if (model.watched.some(({ checkAt }) => checkAt !== null)) met.add('a failing domain');
  if (model.wall < model.now) met.add('a clock that was set back');
  for (const proxy of model.proxies) {
    met.add(`state ${stateOf(model, proxy) ?? 'ready'}`);
    if (heldBy(model, proxy) > 0 && stateOf(model, proxy) === 'cooling') met.add('a lease of one that cools');
  }
}

/** Holds the pool to the model: all that can be seen of it from outside. */
export function compare(model: Model, real: Real): void {
  meet(model);
  compareStats(model, real);
  same(storedIn(real), storedOf(model));
  for (const { key, state, expires } of model.leases) {
    const lease = real.leases.get(key);
    const expected = [key, state, new Date(wallAt(model, expires)).toISOString()];
    same([key, lease?.state, lease?.expiresAt], expected);
  }
  // One domain after another: what holds for it holds for some steps.
  const ofDomain = DOMAINS[real.steps++ % DOMAINS.length];
  for (const { id } of model.proxies)
    for (const domain of [undefined, ofDomain]) compareProxy(model, real, id, domain);
}

function compareStats(model: Model, { pool }: Real): void {
  const { states, leases, ended, waiting, failingDomains, store } = pool.stats();
  const expected = {
    disabled: 0,
    checking: 0,
    failed: 0,
    cooling: 0,
    resting: 0,
    busy: 0,
    pausing: 0,
    ready: 0,
  };
  for (const proxy of model.proxies) {
    const { status } = proxy;
    expected[isUsable(model, proxy) || status === 'active' ? (stateOf(model, proxy) ?? 'ready') : status]++;
  }
  const waits = model.waiters.length;
  same(
    { states, leases, ended, waiting },
    { states: expected, leases: countLeases(model), ended: model.ended, waiting: waits },
  );
  const failing = model.watched.filter(({ checkAt }) => checkAt !== null).map(({ domain }) => domain);
  same({ failing: [...failingDomains].sort(), error: store.error }, { failing: failing.sort(), error: null });
  if (store.outcomes > model.mostLost) expect(store.outcomes).toBeLessThanOrEqual(model.mostLost);
}

/** Whether a proxy is ready for a domain; if not, why, and until when. */
function compareProxy(model: Model, { pool }: Real, id: string, domain: string | undefined): void {
  const exclude = model.proxies.map((proxy) => proxy.id).filter((other) => other !== id);
  const request = { domain, session: undefined, exclude };
  const choice = choose(model, request);
  if (choice.allowed !== null) {
    same({ id, domain, proxy: pool.explain(request).proxy?.id }, { id, domain, proxy: id });
    return;
  }
  let error: unknown = 'nothing was thrown';
  try {
    pool.choose(request);
  } catch (thrown) {
    error = thrown;
  }
  const { code, details } = error as { code?: string; details?: object };
  same({ id, domain, code, details }, { id, domain, code: 'NO_PROXY', details: choice.details });
}

/** As `expect` has it, in a tenth of the time where nothing is wrong. */
function same(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}

/** What is committed before each call returns. */
function storedOf(model: Model) {
  const byKey = (some: string, other: string): number => (some < other ? -1 : 1);
  return {
    statuses: Object.fromEntries(model.proxies.map(({ id, status }) => [id, status])),
    cooldowns: model.outs
      .filter(({ state }) => state !== 'in')
      .map(({ proxy, scope, source, kind, times, stored, detail }) => ({
        key: `${proxy.id} ${scope} ${source}`,
        kind,
        times,
        since: timeOf(stored.since),
        until: stored.until === null ? null : timeOf(stored.until),
        detail,
      }))
      .sort((some, other) => byKey(some.key, other.key)),
    mappings: Object.fromEntries([...model.mappings].map(([key, { id }]) => [key, id])),
    leases: model.stored.length,
    events: model.events,
  };
}

function storedIn({ vault }: Real): ReturnType<typeof storedOf> {
  const rows = (sql: string): Record<string, string | number | null>[] => vault.database.query(sql) as [];
  const cooldowns = rows(
    `SELECT proxy_id || ' ' || scope || ' ' || source AS key, kind, times, since, until, detail FROM proxy_cooldowns`,
  );
  const mappings = rows(
    `SELECT 'session ' || session AS key, proxy_id FROM session_proxies
     UNION ALL SELECT 'domain ' || domain, proxy_id FROM sticky_sessions`,
  );
  const events = rows(
    `SELECT reason, count(*) AS n FROM rotation_events WHERE new_proxy_id IS NULL GROUP BY reason`,
  );
  const [leases] = rows('SELECT count(*) AS n FROM proxy_leases');
  return {
    statuses: Object.fromEntries(
      rows('SELECT id, status FROM proxies').map(({ id, status }) => [id, status]),
    ),
    cooldowns: (cooldowns as unknown as ReturnType<typeof storedOf>['cooldowns']).sort((some, other) =>
      some.key < other.key ? -1 : 1,
    ),
    mappings: Object.fromEntries(mappings.map(({ key, proxy_id }) => [key, proxy_id])),
    leases: Number(leases?.n),
    events: { failure: 0, manual: 0, ...Object.fromEntries(events.map(({ reason, n }) => [reason, n])) },
  };
}

/** What the database counts. */
export function totalsIn({ vault }: Real): Record<string, Totals> {
  const rows = vault.database.query(
    `SELECT p.id, p.total_requests AS total, p.failure_count AS "inRow", coalesce(sum(u.request_count), 0) AS requests,
       coalesce(sum(u.success_count), 0) AS successes, coalesce(sum(u.failure_count), 0) AS failures,
       coalesce(sum(u.total_latency_ms), 0) AS "latencyMs"
     FROM proxies p LEFT JOIN proxy_usage_stats u ON u.proxy_id = p.id GROUP BY p.id`,
  ) as unknown as (Totals & { id: string; total: number })[];
  for (const { total, requests } of rows) expect(requests).toBe(total);
  return Object.fromEntries(rows.map(({ id, total: _, ...totals }) => [id, totals]));
}

export function expectedTotals(model: Model, log = model.log): Record<string, Totals> {
  return Object.fromEntries(model.proxies.map((proxy) => [proxy.id, totalsOf(log, proxy)]));
}

function timeOf(time: number): string {
  return new Date(time).toISOString().replace('T', ' ').replace('Z', '');
}
