import { invalidInput } from '../../model/validation.ts';
import type { Mode, Result, Session } from '../drivers/driver.ts';
import { dayOf } from '../timestamps.ts';

/** The end of an insert of one request: adds it to a day that is there. */
export const ADD_TO_DAY = `ON CONFLICT (proxy_id, date) DO UPDATE SET
  request_count = proxy_usage_stats.request_count + 1,
  success_count = proxy_usage_stats.success_count + excluded.success_count,
  failure_count = proxy_usage_stats.failure_count + excluded.failure_count,
  total_latency_ms = proxy_usage_stats.total_latency_ms + excluded.total_latency_ms,
  latency_count = proxy_usage_stats.latency_count + excluded.latency_count`;

/** Adds one request to today's usage of a proxy that is known to exist. What it is given was checked. */
export function addUsage<M extends Mode>(
  { driver, clock }: Session<M>,
  { id, success, latency }: { id: string; success: boolean; latency: number | null },
): Result<M, number> {
  return driver.run(
    `INSERT INTO proxy_usage_stats (proxy_id, date, request_count, success_count, failure_count, total_latency_ms, latency_count)
     VALUES (:id, :date, 1, :success, 1 - :success, :latency, :measured) ${ADD_TO_DAY}`,
    {
      id,
      date: dayOf(clock()),
      success: success ? 1 : 0,
      latency: latency === null ? 0 : Math.round(latency),
      measured: latency === null ? 0 : 1,
    },
  );
}

/** A latency in milliseconds, null if it was not measured. @throws INVALID_INPUT unless it is finite and not negative. */
export function assertLatency(latency: number | null | undefined): number | null {
  if (latency === undefined || latency === null) return null;
  if (typeof latency === 'number' && latency >= 0 && latency <= Number.MAX_SAFE_INTEGER) return latency;
  throw invalidInput('latency must be a number of milliseconds from 0.');
}
