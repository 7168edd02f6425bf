import type { DatabaseStats } from '../database/index.ts';
import type {
  DailyUsage,
  DayRange,
  ProxyUsageTotals,
  UsageListing,
  UsageTotals,
} from '../database/repositories/index.ts';
import { reportUnknownStatuses } from '../database/repositories/skipped-rows.ts';
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
  /** How many proxies are in which state now, by what the database knows: limits and leases are of each process. */
  pool: { states: Record<ProxyState, number> };
}

export type UsageByDayView = PoolUsage & { days: DailyUsage[] };

/** `name` is null for a proxy that was removed. */
export type UsageByProxyView = PoolUsage & { byProxy: (ProxyUsageTotals & { name: string | null })[] };

type ProxyState = 'ready' | 'cooling' | 'probing' | 'failed' | 'checking' | 'disabled';

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
  return driver.snapshot(() => ({
    proxies: stateOf(vault),
    days: vault.usage.range(range),
    totals: vault.usage.totals(range),
    database,
    pool: { states: statesOf(vault) },
  }));
}

/** Counts, proxies and totals are of one state of the pool. @param listing which days, and how many proxies in which order. */
export async function usageByProxyView(vault: Vault, listing: UsageListing = {}): Promise<UsageByProxyView> {
  const { from, to } = listing;
  const { driver } = vault.database;
  const database = await vault.database.stats();
  return driver.snapshot(() => ({
    proxies: stateOf(vault),
    byProxy: vault.usage.byProxy(listing).map((usage) => {
      const { name = null } = vault.proxies.findById(usage.proxyId) ?? {};
      return { name, ...usage };
    }),
    totals: vault.usage.totals({ from, to }),
    database,
    pool: { states: statesOf(vault) },
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

/** `probing`: the time of a cooldown is over, and the next request tries. */
function statesOf({ proxies }: Vault): Record<ProxyState, number> {
  const { failed, checking, disabled } = proxies.countByStatus();
  const [ready, cooling, probing] = (['ready', 'cooling', 'probing'] as const).map((state) =>
    proxies.count({ state }),
  );
  return { ready: ready ?? 0, cooling: cooling ?? 0, probing: probing ?? 0, failed, checking, disabled };
}

function ratesOf(usage: Omit<UsageTotals, 'successRate' | 'meanLatencyMs'>): Rates {
  const { requestCount, successCount, totalLatencyMs, latencyCount } = usage;
  return {
    successRate: requestCount === 0 ? null : (100 * successCount) / requestCount,
    meanLatencyMs: latencyCount === 0 ? null : totalLatencyMs / latencyCount,
  };
}
