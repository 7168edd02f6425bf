import type { DatabaseStats } from '../database/index.ts';
import type {
  DailyUsage,
  DayRange,
  ProxyUsageTotals,
  UsageListing,
  UsageTotals,
} from '../database/repositories/index.ts';
import type { ProxyConfig } from '../model/proxy.ts';
import type { Vault, VaultStats } from '../vault.ts';
import { type ProxyView, proxyViewer } from './proxy.ts';

/** How many proxies there are, by status, and with and without a login. */
export type PoolState = VaultStats['proxies'] & { withLogin: number; withoutLogin: number };

/** The state of the pool, and its usage of some days (UTC). */
interface PoolUsage {
  proxies: PoolState;
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

export async function usageByDayView(vault: Vault, range: DayRange = {}): Promise<UsageByDayView> {
  const { proxies, totals, database } = await poolUsage(vault, range);
  return { proxies, days: vault.usage.range(range), totals, database };
}

/** @param listing which days, and how many proxies in which order. */
export async function usageByProxyView(vault: Vault, listing: UsageListing = {}): Promise<UsageByProxyView> {
  const { from, to } = listing;
  const { proxies, totals, database } = await poolUsage(vault, { from, to });
  const byProxy = vault.usage.byProxy(listing).map((usage) => {
    const { name = null } = vault.proxies.findById(usage.proxyId) ?? {};
    return { name, ...usage };
  });
  return { proxies, byProxy, totals, database };
}

export function proxyUsageView(vault: Vault, proxy: ProxyConfig, range: DayRange = {}): ProxyUsageView {
  const { usage } = vault;
  return {
    proxy: proxyViewer(vault, {})(proxy),
    days: usage.findByProxy(proxy.id, range).map((day) => ({ ...day, ...ratesOf(day) })),
    totals: usage.totals({ ...range, proxyId: proxy.id }),
  };
}

async function poolUsage(vault: Vault, range: DayRange): Promise<PoolUsage> {
  const { proxies, database } = await vault.stats();
  const withLogin = vault.credentials.count();
  return {
    proxies: { ...proxies, withLogin, withoutLogin: proxies.total - withLogin },
    totals: vault.usage.totals(range),
    database,
  };
}

function ratesOf(usage: Omit<UsageTotals, 'successRate' | 'meanLatencyMs'>): Rates {
  const { requestCount, successCount, totalLatencyMs, latencyCount } = usage;
  return {
    successRate: requestCount === 0 ? null : (100 * successCount) / requestCount,
    meanLatencyMs: latencyCount === 0 ? null : totalLatencyMs / latencyCount,
  };
}
