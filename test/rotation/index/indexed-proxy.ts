import type { IndexedProxy } from '../../../src/rotation/pool-index.ts';

export const idOf = (n: number): string => `id-${String(n).padStart(4, '0')}`;

/** An active proxy, as the index is given it. */
export function proxy(n: number, changes: Partial<IndexedProxy> = {}): IndexedProxy {
  return {
    id: idOf(n),
    name: null,
    protocol: 'http',
    host: 'h.example',
    port: 1,
    status: 'active',
    region: null,
    country: null,
    remoteDns: true,
    tags: [],
    gateway: false,
    isProven: false,
    cooldowns: [],
    weight: 1,
    latency: null,
    successRate: 100,
    failureCount: 0,
    handOuts: 0,
    ...changes,
  };
}
