import type { ProxyConfig } from '../database/index.ts';
import type { Vault } from '../vault.ts';

/** What --help says of an argument that names a proxy. */
export const PROXY_ARGUMENT = 'its id, the first 4 or more characters of it, host:port, or its name';

/**
 * The proxies that were typed, each once, in their order.
 *
 * @throws NOT_FOUND, and CONFLICT if several match one text: nothing was changed.
 */
export function meantProxies({ proxies }: Vault, typed: readonly string[]): ProxyConfig[] {
  const found = new Map<string, ProxyConfig>();
  for (const text of typed) {
    const proxy = proxies.resolve(text);
    if (!found.has(proxy.id)) found.set(proxy.id, proxy);
  }
  return [...found.values()];
}
