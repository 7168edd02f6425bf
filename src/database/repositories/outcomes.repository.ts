import {
  assertBoolean,
  assertId,
  assertIterable,
  assertObject,
  assertWhole,
  invalidInput,
} from '../../model/validation.ts';
import type { Mode, Result, SqlValue, Steps } from '../drivers/driver.ts';
import { step } from '../drivers/driver.ts';
import { assertDay, storedFrom } from '../timestamps.ts';
import { addLatencySums, assertLatencySums, type LatencySums } from './latency-sums.ts';
import { Repository } from './repository.ts';
import { batches, paramsOf, parted } from './row-batches.ts';

/** What happened to the requests through one proxy on one day (UTC) since the last time. */
export interface ProxyOutcomes {
  proxyId: string;
  /** `YYYY-MM-DD`. */
  day: string;
  handOuts: number;
  /** When it was handed out last; null if it was not. */
  lastUsed: Date | string | null;
  successes: number;
  failures: number;
  /** The failures since the last success, or all of them if there was no success. */
  failuresInRow: number;
  hasSuccess: boolean;
  latency: LatencySums | null;
}

/** Outcomes that were checked, with the time in its stored form. */
type Checked = ProxyOutcomes & { lastUsed: string | null };

const OF_PROXY = {
  id: 'TEXT',
  hand_outs: 'BIGINT',
  last_used: 'TEXT',
  requests: 'BIGINT',
  successes: 'BIGINT',
  failures_in_row: 'BIGINT',
  has_success: 'BIGINT',
  keep: 'DOUBLE PRECISION',
  added: 'DOUBLE PRECISION',
  first: 'DOUBLE PRECISION',
} as const;

const OF_DAY = {
  id: 'TEXT',
  day: 'TEXT',
  requests: 'BIGINT',
  successes: 'BIGINT',
  failures: 'BIGINT',
  latency_sum: 'BIGINT',
  latency_count: 'BIGINT',
} as const;

const MEAN = 'given.keep * coalesce(proxies.latency_ewma, given.first) + given.added';

/** Successes are recovered exactly from the rate: they are whole, and the rate has 15 digits. */
const PROXIES_OF = batches(
  OF_PROXY,
  (given) => `WITH given (${Object.keys(OF_PROXY).join(', ')}) AS (VALUES ${given})
    UPDATE proxies SET
      hand_outs = CASE WHEN given.hand_outs > 0
        THEN coalesce(proxies.hand_outs, proxies.total_requests) + given.hand_outs ELSE proxies.hand_outs END,
      last_used_at = CASE WHEN given.last_used IS NULL OR proxies.last_used_at > given.last_used
        THEN proxies.last_used_at ELSE given.last_used END,
      total_requests = proxies.total_requests + given.requests,
      success_rate = CASE WHEN given.requests = 0 THEN proxies.success_rate
        ELSE 100.0 * (round(proxies.success_rate * proxies.total_requests / 100.0) + given.successes)
          / (proxies.total_requests + given.requests) END,
      failure_count = CASE WHEN given.has_success = 1 THEN 0 ELSE proxies.failure_count END + given.failures_in_row,
      latency_ewma = CASE WHEN given.keep IS NULL THEN proxies.latency_ewma ELSE ${MEAN} END,
      latency = CASE WHEN given.keep IS NULL THEN proxies.latency ELSE CAST(floor(${MEAN} + 0.5) AS BIGINT) END,
      updated_at = CASE WHEN given.requests = 0 THEN proxies.updated_at ELSE :now END
    FROM given WHERE proxies.id = given.id`,
);

/** An unknown proxy adds nothing. */
const DAYS_OF = batches(
  OF_DAY,
  (given) => `WITH given (${Object.keys(OF_DAY).join(', ')}) AS (VALUES ${given})
    INSERT INTO proxy_usage_stats (proxy_id, date, request_count, success_count, failure_count, total_latency_ms, latency_count)
    SELECT given.id, given.day, given.requests, given.successes, given.failures, given.latency_sum, given.latency_count
    FROM given WHERE EXISTS (SELECT 1 FROM proxies WHERE proxies.id = given.id)
    ON CONFLICT (proxy_id, date) DO UPDATE SET
      request_count = proxy_usage_stats.request_count + excluded.request_count,
      success_count = proxy_usage_stats.success_count + excluded.success_count,
      failure_count = proxy_usage_stats.failure_count + excluded.failure_count,
      total_latency_ms = proxy_usage_stats.total_latency_ms + excluded.total_latency_ms,
      latency_count = proxy_usage_stats.latency_count + excluded.latency_count`,
);

/** Outcomes of many requests, stored in few statements. */
export class OutcomesRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Adds outcomes to the counters of proxies and to their usage by day, in one transaction; gives how many of the proxies there are.
   * An unknown one adds nothing. If a proxy comes several times, later outcomes come later in the list. The result is that of
   * `HandOutsRepository.record` and `ProxyRepository.updateStats` one by one.
   */
  recordMany(outcomes: Iterable<ProxyOutcomes>): Result<M, number> {
    const proxies = new Map<string, Checked>();
    const days = new Map<string, Checked>();
    for (const each of assertIterable(outcomes, 'outcomes')) {
      const checked = assertOutcomes(each);
      add(proxies, checked.proxyId, checked);
      if (checked.successes + checked.failures > 0) add(days, `${checked.day} ${checked.proxyId}`, checked);
    }
    return this.db.transaction(() => this.#record(inOrder(proxies), inOrder(days)));
  }

  *#record(proxies: readonly Checked[], days: readonly Checked[]): Steps<M, number> {
    const now = this.now();
    let found = 0;
    for (const [batch, rows] of parted(PROXIES_OF, proxies)) {
      const params = paramsOf(batch, rows, valuesOfProxy);
      params.now = now;
      found += yield* step(this.db.run(batch.sql, params));
    }
    for (const [batch, rows] of parted(DAYS_OF, days)) {
      yield this.db.run(batch.sql, paramsOf(batch, rows, valuesOfDay));
    }
    return found;
  }
}

/** By id, as the table has them: SQLite takes up to twice as long in any other order. */
function inOrder(outcomes: ReadonlyMap<string, Checked>): Checked[] {
  return [...outcomes.values()].sort((a, b) => Number(a.proxyId > b.proxyId) - Number(a.proxyId < b.proxyId));
}

function valuesOfProxy(of: Checked): Record<keyof typeof OF_PROXY, SqlValue> {
  const { latency } = of;
  return {
    id: of.proxyId,
    hand_outs: of.handOuts,
    last_used: of.lastUsed,
    requests: of.successes + of.failures,
    successes: of.successes,
    failures_in_row: of.failuresInRow,
    has_success: of.hasSuccess ? 1 : 0,
    keep: latency?.keep ?? null,
    added: latency?.add ?? null,
    first: latency?.first ?? null,
  };
}

function valuesOfDay(of: Checked): Record<keyof typeof OF_DAY, SqlValue> {
  return {
    id: of.proxyId,
    day: of.day,
    requests: of.successes + of.failures,
    successes: of.successes,
    failures: of.failures,
    latency_sum: of.latency?.sum ?? 0,
    latency_count: of.latency?.count ?? 0,
  };
}

/** @throws INVALID_INPUT */
function assertOutcomes(given: ProxyOutcomes): Checked {
  const { proxyId, day, handOuts, lastUsed, successes, failures, failuresInRow, hasSuccess, latency } =
    assertObject(given, 'outcomes');
  assertWhole(successes, 'successes', 0);
  assertWhole(failures, 'failures', 0);
  if (assertBoolean(hasSuccess, 'hasSuccess') !== successes > 0)
    throw invalidInput('hasSuccess must say whether there are successes.');
  return {
    proxyId: assertId(proxyId, 'proxyId'),
    day: assertDay(day, 'day'),
    handOuts: assertWhole(handOuts, 'handOuts', 0),
    lastUsed: lastUsed === null ? null : storedFrom(lastUsed, 'lastUsed'),
    successes,
    failures,
    failuresInRow: assertWhole(failuresInRow, 'failuresInRow', 0, failures),
    hasSuccess,
    latency: latency === null ? null : assertLatencySums(latency),
  };
}

/** Adds outcomes to those of the same name that came before them. */
function add(to: Map<string, Checked>, name: string, later: Checked): void {
  const before = to.get(name);
  to.set(name, before === undefined ? later : joined(before, later));
}

function joined(before: Checked, later: Checked): Checked {
  return {
    ...before,
    handOuts: before.handOuts + later.handOuts,
    lastUsed: (before.lastUsed ?? '') > (later.lastUsed ?? '') ? before.lastUsed : later.lastUsed,
    successes: before.successes + later.successes,
    failures: before.failures + later.failures,
    failuresInRow: later.hasSuccess ? later.failuresInRow : before.failuresInRow + later.failuresInRow,
    hasSuccess: before.hasSuccess || later.hasSuccess,
    latency:
      before.latency && later.latency
        ? addLatencySums(before.latency, later.latency)
        : (before.latency ?? later.latency),
  };
}
