import type { ProxyProtocol, ProxyStatus } from '../../model/proxy.ts';
import type { Row, SqlValue } from '../drivers/driver.ts';

/** How many proxies have each status, and how many there are. */
export interface StatusCounts extends Record<ProxyStatus, number> {
  total: number;
}

/** How many proxies have each protocol, and how many there are. */
export interface ProtocolCounts extends Record<ProxyProtocol, number> {
  total: number;
}

/** How many proxies have a region, or none. */
export interface RegionCount {
  region: string | null;
  count: number;
}

interface Count {
  value: SqlValue | undefined;
  n: number;
}

/** Reads a row of a statement that counts by a column. */
export function toCount(column: string): (row: Row) => Count {
  return (row) => ({ value: row[column], n: Number(row.n) });
}

/** The count of each of these values, 0 for one that no row has. */
export function countsOf<T extends string>(
  values: readonly T[],
  counts: readonly Count[],
): Record<T, number> {
  const entries = values.map((value) => [value, counts.find((count) => count.value === value)?.n ?? 0]);
  return Object.fromEntries(entries);
}

export function totalOf(counts: readonly Count[]): number {
  return counts.reduce((total, { n }) => total + n, 0);
}
