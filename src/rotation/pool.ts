import type { ProxyConfig } from '../model/proxy.ts';

/** What a strategy may ask of the active proxies; the `ActiveProxyRepository` answers for all. Null if there is no such proxy. */
export interface Pool {
  /** The one that comes after an id in the order of ids, beginning again at the end. */
  after(id: string): ProxyConfig | null;
  /** Any, each as likely as the others; `random` gives numbers from 0, inclusive, to 1, exclusive. */
  sample(random: () => number): ProxyConfig | null;
  /** The one with the fewest requests; of equal ones the one handed out longest ago. */
  leastUsed(): ProxyConfig | null;
  /** The one with the lowest mean latency; unknown latency last. */
  fastest(): ProxyConfig | null;
}

/** Some proxies, such as those of a region, in the order of ids. */
export function listPool(proxies: readonly ProxyConfig[]): Pool {
  const active = proxies.filter(({ status }) => status === 'active');
  const first = (...keys: ((proxy: ProxyConfig) => number | string)[]): ProxyConfig | null =>
    active.reduce<ProxyConfig | null>(
      (best, proxy) => (best === null || precedes(proxy, best, keys) ? proxy : best),
      null,
    );
  return {
    after: (id) => active.find((proxy) => proxy.id > id) ?? active[0] ?? null,
    sample: (random) => active[Math.floor(random() * active.length)] ?? null,
    leastUsed: () =>
      first(
        ({ totalRequests }) => totalRequests,
        ({ lastUsedAt }) => lastUsedAt ?? '',
      ),
    fastest: () => first(({ latency }) => latency ?? Number.POSITIVE_INFINITY),
  };
}

function precedes(
  a: ProxyConfig,
  b: ProxyConfig,
  keys: ((proxy: ProxyConfig) => number | string)[],
): boolean {
  for (const key of keys) {
    const [left, right] = [key(a), key(b)];
    if (left !== right) return left < right;
  }
  return false;
}
