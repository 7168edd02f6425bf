import type { ProxyUsage } from '../../model/usage.ts';
import {
  assertBoolean,
  assertId,
  assertObject,
  assertOptions,
  assertWhole,
  invalidInput,
} from '../../model/validation.ts';
import type { Mode, Params, Result, Row } from '../drivers/driver.ts';
import { assertDay, dayOf, storedFrom } from '../timestamps.ts';
import { DAY, ID, Table, whole } from './columns.ts';
import { orNotFound, Repository } from './repository.ts';
import { skipMalformed } from './skipped-rows.ts';
import { ADD_TO_DAY, assertLatency } from './usage-count.ts';
import { SUMS, totalsIn, type UsageTotals } from './usage-sums.ts';

/** What happened to one request. */
export interface Outcome {
  success: boolean;
  /** Milliseconds, if it was measured. */
  latency?: number | undefined;
  /** `YYYY-MM-DD`, UTC; today unless given. */
  date?: string | undefined;
}

/** Days, both inclusive; an end that is absent is open. */
export interface DayRange {
  from?: string | undefined;
  to?: string | undefined;
}

/** The totals of one day over all proxies. */
export interface DailyUsage extends UsageTotals {
  date: string;
  /** How many proxies were used. */
  proxyCount: number;
}

/** What the usage of proxies may be sorted by. */
const SORT_COLUMNS = {
  requests: 'request_count',
  failures: 'failure_count',
  successRate: 'success_rate',
  latency: 'mean_latency',
  id: 'proxy_id',
} as const;
export type UsageSortField = keyof typeof SORT_COLUMNS;

/** A field, with a `-` before it to begin with the highest. */
export type UsageSort = UsageSortField | `-${UsageSortField}`;

export interface UsageListing extends DayRange {
  /** This proxy alone. */
  proxyId?: string | undefined;
  /** `-requests` unless given. A proxy without a latency comes last in both directions; equal ones come by id. */
  sort?: UsageSort | undefined;
  /** 1 to 100,000; 100 unless given. */
  limit?: number | undefined;
}

/** The totals of one proxy over its days with usage in a range. */
export interface ProxyUsageTotals extends UsageTotals {
  proxyId: string;
  /** The first and the last day with usage, `YYYY-MM-DD`, UTC. */
  firstDay: string;
  lastDay: string;
}

export const PROXY_USAGE_STATS = new Table('proxy_usage_stats', ['proxy_id', 'date'], {
  proxy_id: ID,
  date: DAY,
  request_count: whole(),
  success_count: whole(),
  failure_count: whole(),
  total_latency_ms: whole(),
  latency_count: whole(),
});

/** Usage by proxy and day (UTC). */
export class ProxyUsageStatsRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Adds one request to a proxy's day.
   * @throws NOT_FOUND if there is no such proxy; INVALID_INPUT for a bad date, or a latency that is no number of milliseconds.
   * @example
   * vault.usage.record(id, { success: true, latency: 230 }); // today, in 230 ms
   */
  record(proxyId: string, outcome: Outcome): Result<M, void> {
    const { success, latency, date } = assertOptions(
      outcome,
      ['success', 'latency', 'date'],
      'fields of an outcome',
    );
    const measured = assertLatency(latency);
    return this.db.run(
      // From the proxies, so that an unknown one adds nothing and is told from other faults.
      `INSERT INTO proxy_usage_stats (proxy_id, date, request_count, success_count, failure_count, total_latency_ms, latency_count)
       SELECT id, :date, 1, :success, 1 - :success, :latency, :measured FROM proxies WHERE id = :id
       ${ADD_TO_DAY}`,
      {
        id: assertId(proxyId, 'proxyId'),
        date: date === undefined ? dayOf(this.clock()) : assertDay(date, 'date'),
        success: assertBoolean(success, 'success') ? 1 : 0,
        latency: measured === null ? 0 : Math.round(measured),
        measured: measured === null ? 0 : 1,
      },
      orNotFound('proxy', proxyId),
    );
  }

  /**
   * Records many in one transaction, all or none; gives how many.
   *
   * @example
   * vault.usage.recordMany([{ proxyId: id, success: false, date: '2026-01-31' }]); // 1
   */
  recordMany(outcomes: Iterable<Outcome & { proxyId: string }>): Result<M, number> {
    return this.forEach(outcomes, 'outcomes', (each) => {
      const { proxyId, ...outcome } = assertObject(each, 'outcome');
      return this.record(proxyId, outcome);
    });
  }

  /**
   * A proxy's days, oldest first.
   *
   * @example
   * for (const { date, requestCount } of vault.usage.findByProxy(id, { from: '2026-01-01', to: '2026-01-31' }))
   *   console.log(date, requestCount);
   */
  findByProxy(proxyId: string, range: DayRange = {}): Result<M, ProxyUsage[]> {
    return this.db.all(
      `SELECT * FROM proxy_usage_stats WHERE proxy_id = :id AND date BETWEEN :from AND :to ORDER BY date`,
      { id: assertId(proxyId, 'proxyId'), ...rangeParams(range) },
      skipMalformed(this.session, toUsage),
    );
  }

  /**
   * One day of every proxy that was used on it.
   *
   * @example
   * for (const { proxyId, requestCount } of vault.usage.findByDate('2026-01-31')) console.log(proxyId, requestCount);
   */
  findByDate(date: string): Result<M, ProxyUsage[]> {
    return this.db.all(
      `SELECT * FROM proxy_usage_stats WHERE date = :date ORDER BY proxy_id`,
      { date: assertDay(date, 'date') },
      skipMalformed(this.session, toUsage),
    );
  }

  /**
   * The totals of each day with usage, oldest first.
   *
   * @example
   * for (const { date, successRate } of vault.usage.range({ from: '2026-01-01' })) console.log(date, `${successRate} %`);
   */
  range(range: DayRange = {}): Result<M, DailyUsage[]> {
    return this.db.all(
      `SELECT date, count(*) AS proxy_count, ${SUMS} FROM proxy_usage_stats
       WHERE date BETWEEN :from AND :to GROUP BY date ORDER BY date`,
      rangeParams(range),
      skipMalformed(this.session, (row) => ({
        date: PROXY_USAGE_STATS.read.date(row.date, row),
        proxyCount: Number(row.proxy_count),
        ...totalsIn(this.session, row),
      })),
    );
  }

  /**
   * The totals over a range of days, of one proxy or of all.
   *
   * @example
   * const { requestCount, meanLatencyMs } = vault.usage.totals({ proxyId: id }); // meanLatencyMs: null if not measured
   */
  totals(options: DayRange & { proxyId?: string | undefined } = {}): Result<M, UsageTotals> {
    const { proxyId, ...range } = assertObject(options, 'range');
    const ofProxy = proxyId === undefined ? '' : 'AND proxy_id = :id';
    return this.db.one(
      `SELECT ${SUMS} FROM proxy_usage_stats WHERE date BETWEEN :from AND :to ${ofProxy}`,
      { ...rangeParams(range), ...(proxyId !== undefined && { id: assertId(proxyId, 'proxyId') }) },
      (row) => totalsIn(this.session, row ?? {}),
    );
  }

  /**
   * The totals of each proxy that was used in a range of days, the most used first unless `sort` says otherwise.
   *
   * @throws INVALID_INPUT for an unknown option or order, and for what is no day.
   * @example
   * const week = { from: '2026-05-01', to: '2026-05-07' };
   * for (const { proxyId, successRate } of vault.usage.byProxy({ ...week, sort: 'successRate', limit: 10 }))
   *   console.log(proxyId, successRate);
   */
  byProxy(listing: UsageListing = {}): Result<M, ProxyUsageTotals[]> {
    const {
      proxyId,
      sort = '-requests',
      limit = 100,
      ...range
    } = assertOptions(listing, ['from', 'to', 'proxyId', 'sort', 'limit'], 'options of a usage list');
    const ofProxy = proxyId === undefined ? '' : 'AND proxy_id = :id';
    return this.db.all(
      `SELECT *,
         CASE WHEN request_count > 0 THEN success_count / request_count END AS success_rate,
         CASE WHEN latency_count > 0 THEN total_latency_ms / latency_count END AS mean_latency
       FROM (
         SELECT proxy_id, min(date) AS first_day, max(date) AS last_day, ${SUMS} FROM proxy_usage_stats
         WHERE date BETWEEN :from AND :to ${ofProxy} GROUP BY proxy_id) AS usage
       ORDER BY ${orderOf(sort)}, proxy_id LIMIT :limit`,
      {
        ...rangeParams(range),
        ...(proxyId !== undefined && { id: assertId(proxyId, 'proxyId') }),
        limit: assertWhole(limit, 'limit', 1, 100_000),
      },
      skipMalformed(this.session, (row) => {
        const { read } = PROXY_USAGE_STATS;
        return {
          proxyId: read.proxy_id(row.proxy_id, row),
          firstDay: read.date(row.first_day, { ...row, date: row.first_day ?? null }),
          lastDay: read.date(row.last_day, { ...row, date: row.last_day ?? null }),
          ...totalsIn(this.session, row),
        };
      }),
    );
  }

  /**
   * Removes rows of days that ended before a time, at most `limit` of them; gives how many went.
   *
   * @example
   * const gone = vault.usage.deleteOlderThan(new Date('2026-01-01'), 1000); // at most 1000
   */
  deleteOlderThan(time: Date | string, limit = Number.MAX_SAFE_INTEGER): Result<M, number> {
    return this.db.run(
      `DELETE FROM proxy_usage_stats WHERE (proxy_id, date) IN (
         SELECT proxy_id, date FROM proxy_usage_stats WHERE date < :day LIMIT :limit)`,
      {
        day: storedFrom(time, 'time').slice(0, 10),
        limit: assertWhole(limit, 'limit', 1, Number.MAX_SAFE_INTEGER),
      },
    );
  }
}

function orderOf(sort: string): string {
  const isDescending = typeof sort === 'string' && sort.startsWith('-');
  const entry = Object.entries(SORT_COLUMNS).find(([name]) => sort === (isDescending ? `-${name}` : name));
  if (entry) return `${entry[1]} ${isDescending ? 'DESC ' : ''}NULLS LAST`;
  throw invalidInput(
    `sort must be one of ${Object.keys(SORT_COLUMNS).join(', ')}, with a - before it to begin with the highest.`,
  );
}

function rangeParams(range: DayRange): Params {
  const { from, to } = assertOptions(range, ['from', 'to'], 'range of days');
  return {
    from: from === undefined ? '0000-01-01' : assertDay(from, 'from'),
    to: to === undefined ? '9999-12-31' : assertDay(to, 'to'),
  };
}

function toUsage(row: Row): ProxyUsage {
  const { read } = PROXY_USAGE_STATS;
  return {
    proxyId: read.proxy_id(row.proxy_id, row),
    date: read.date(row.date, row),
    requestCount: read.request_count(row.request_count, row),
    successCount: read.success_count(row.success_count, row),
    failureCount: read.failure_count(row.failure_count, row),
    totalLatencyMs: read.total_latency_ms(row.total_latency_ms, row),
    latencyCount: read.latency_count(row.latency_count, row),
  };
}
