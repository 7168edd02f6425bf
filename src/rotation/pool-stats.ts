import type { Availability } from './availability.ts';
import type { Percentiles } from './latencies.ts';
import type { LeaseCounts } from './leasing.ts';
import type { PoolIndex } from './pool-index.ts';
import type { Backlog } from './write-behind.ts';

/** What a pool does now, as this process knows it. */
export interface PoolStats {
  /** How many proxies there are in each state. A proxy is in one of them: the first that holds, from left to right. */
  states: {
    disabled: number;
    checking: number;
    failed: number;
    cooling: number;
    resting: number;
    busy: number;
    pausing: number;
    ready: number;
  };
  /** How many proxies there are of each protocol. */
  protocols: Record<string, number>;
  /** How many proxies there are in each country; `unknown` for those whose country is not known. */
  countries: Record<string, number>;
  /** Of the outcomes that this process was told, in milliseconds; null if it was told no latency. */
  latencyMs: Percentiles | null;
  /** How many leases there are now. */
  leases: number;
  /** How leases of this process have ended. */
  ended: LeaseCounts;
  /** How many calls of `acquire` wait. */
  waiting: number;
  /** The domains that fail, so that no proxy is blamed for it. */
  failingDomains: string[];
  /** How far the database is behind, and what a crash may cost. */
  store: Backlog & { lossMs: number; lossOutcomes: number };
}

/** The counts by state, protocol and country. It looks at every proxy. */
export function countsOf(
  index: PoolIndex,
  availability: Availability,
): Pick<PoolStats, 'states' | 'protocols' | 'countries'> {
  const states = {
    disabled: 0,
    checking: 0,
    failed: 0,
    cooling: 0,
    resting: 0,
    busy: 0,
    pausing: 0,
    ready: 0,
  };
  const protocols: Record<string, number> = {};
  const countries: Record<string, number> = {};
  const { columns } = index;
  for (let slot = 0; slot < index.end; slot++) {
    const status = columns.status(slot);
    if (status === null) continue;
    const isUsable = index.isUsable(slot);
    const state = isUsable || status === 'active' ? (availability.stateOf(slot) ?? 'ready') : status;
    states[state]++;
    const protocol = columns.protocol(slot);
    protocols[protocol] = (protocols[protocol] ?? 0) + 1;
    const country = columns.country(slot) ?? 'unknown';
    countries[country] = (countries[country] ?? 0) + 1;
  }
  return { states, protocols, countries };
}
