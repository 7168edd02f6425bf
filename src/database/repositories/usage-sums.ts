import type { Mode, Row, Session } from '../drivers/driver.ts';
import { reportUncounted } from './skipped-rows.ts';

/** Sums of usage. A rate is null if there were no requests, or no latencies. */
export interface UsageTotals {
  requestCount: number;
  successCount: number;
  failureCount: number;
  totalLatencyMs: number;
  latencyCount: number;
  /** Percent. */
  successRate: number | null;
  meanLatencyMs: number | null;
}

const COUNTS = ['request_count', 'success_count', 'failure_count', 'total_latency_ms', 'latency_count'];

/** Whether a row's numbers are whole and exact: what is not would make a sum wrong, or overflow it. */
const SOUND = COUNTS.map(
  (column) =>
    `coalesce(${column} BETWEEN 0 AND 9007199254740991 AND ${column} = CAST(${column} AS INTEGER), FALSE)`,
).join(' AND ');

/** Sums over the sound rows, as floating-point numbers, which cannot overflow; and how many rows are malformed. */
export const SUMS = [
  ...COUNTS.map((column) => `coalesce(sum(CASE WHEN ${SOUND} THEN ${column} + 0.0 END), 0) AS ${column}`),
  `sum(CASE WHEN ${SOUND} THEN 0 ELSE 1 END) AS malformed`,
].join(', ');

/** What {@link SUMS} have given, as numbers of a user. Malformed rows are reported. */
export function totalsIn<M extends Mode>(session: Session<M>, row: Row): UsageTotals {
  const malformed = Number(row.malformed ?? 0);
  if (malformed > 0)
    reportUncounted(session, {
      table: 'proxy_usage_stats',
      rows: malformed,
      of: row.date ?? row.proxy_id,
    });
  const requestCount = Number(row.request_count);
  const successCount = Number(row.success_count);
  const totalLatencyMs = Number(row.total_latency_ms);
  const latencyCount = Number(row.latency_count);
  return {
    requestCount,
    successCount,
    failureCount: Number(row.failure_count),
    totalLatencyMs,
    latencyCount,
    successRate: requestCount === 0 ? null : (100 * successCount) / requestCount,
    meanLatencyMs: latencyCount === 0 ? null : totalLatencyMs / latencyCount,
  };
}
