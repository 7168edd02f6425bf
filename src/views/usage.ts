import type { DatabaseStats } from '../database/index.ts';
import type {
  DailyUsage,
  DayRange,
  ProxyUsageTotals,
  UsageListing,
  UsageTotals,
} from '../database/repositories/index.ts';
import { reportUnknownStatuses } from '../database/repositories/skipped-rows.ts';
import { ProxyVaultError } from '../errors.ts';
import type { ProxyConfig } from '../model/proxy.ts';
import type { PoolStats } from '../rotation/index.ts';
import type { Vault, VaultStats } from '../vault.ts';
import { type ProxyView, proxyViewer } from './proxy.ts';

/** How many proxies there are, by status, and with and without a login. */
export type PoolState = VaultStats['proxies'] & { withLogin: number; withoutLogin: number };

/** The state of the pool, and its usage of some days (UTC). */
interface PoolUsage {
  proxies: PoolState;
  /** What the pool can do now; null if a malformed configuration keeps it from choosing. */
  pool: PoolStats | null;
  /** Of all proxies and days that were asked for. */
  totals: UsageTotals;
  database: DatabaseStats;
}

export type UsageByDayView = PoolUsage & { days: DailyUsage[] };

/** `name` is null for a proxy that was removed. */
export type UsageByProxyView = PoolUsage & { byProxy: (ProxyUsageTotals & { name: string | null })[] };

type Rates = Pick<UsageTotals, 'successRate' | 'meanLatencyMs'>;
type DayOfProxy = ReturnType<Vault['usage']['findByProxy']>[number];

/** The usage of one proxy. */
export interface ProxyUsageView {
  proxy: ProxyView;
  days: (DayOfProxy & Rates)[];
  totals: UsageTotals;
}

/** Counts, days and totals are of one state of the pool. */
export async function usageByDayView(vault: Vault, range: DayRange = {}): Promise<UsageByDayView> {
  const { driver } = vault.database;
  const database = await vault.database.stats();
  const pool = poolStatsOf(vault);
  return driver.snapshot(() => ({
    proxies: stateOf(vault),
    pool,
    days: vault.usage.range(range),
    totals: vault.usage.totals(range),
    database,
  }));
}

/** Counts, proxies and totals are of one state of the pool. @param listing which days, and how many proxies in which order. */
export async function usageByProxyView(vault: Vault, listing: UsageListing = {}): Promise<UsageByProxyView> {
  const { from, to } = listing;
  const { driver } = vault.database;
  const database = await vault.database.stats();
  const pool = poolStatsOf(vault);
  return driver.snapshot(() => ({
    proxies: stateOf(vault),
    pool,
    byProxy: vault.usage.byProxy(listing).map((usage) => {
      const { name = null } = vault.proxies.findById(usage.proxyId) ?? {};
      return { name, ...usage };
    }),
    totals: vault.usage.totals({ from, to }),
    database,
  }));
}

export function proxyUsageView(vault: Vault, proxy: ProxyConfig, range: DayRange = {}): ProxyUsageView {
  const { usage, database } = vault;
  return database.driver.snapshot(() => ({
    proxy: proxyViewer(vault, {})(proxy),
    days: usage.findByProxy(proxy.id, range).map((day) => ({ ...day, ...ratesOf(day) })),
    totals: usage.totals({ ...range, proxyId: proxy.id }),
  }));
}

function stateOf({ database, proxies, credentials }: Vault): PoolState {
  const counts = proxies.countByStatus();
  reportUnknownStatuses(database, counts);
  const withLogin = credentials.count();
  return { ...counts, withLogin, withoutLogin: counts.total - withLogin };
}

function poolStatsOf({ pool }: Vault): PoolStats | null {
  try {
    return pool.stats();
  } catch (error) {
    if (error instanceof ProxyVaultError && error.code === 'INVALID_ROW') return null;
    throw error;
  }
}

function ratesOf(usage: Omit<UsageTotals, 'successRate' | 'meanLatencyMs'>): Rates {
  const { requestCount, successCount, totalLatencyMs, latencyCount } = usage;
  return {
    successRate: requestCount === 0 ? null : (100 * successCount) / requestCount,
    meanLatencyMs: latencyCount === 0 ? null : totalLatencyMs / latencyCount,
  };
}
