import type { Absences } from './absences.ts';
import type { PoolIndex } from './pool-index.ts';

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
  latencyMs: { p50: number; p90: number; p99: number } | null;
  /** How many leases there are now. */
  leases: number;
  /** How leases of this process have ended. */
  ended: {
    succeeded: number;
    failed: number;
    /** Nobody reported them in time, or before the end of their block. */
    abandoned: number;
    /** Reports of leases that had expired. */
    late: number;
    /** What went through them, as far as it was reported. */
    bytes: number;
  };
  /** How many calls of `acquire` wait. */
  waiting: number;
  /** The domains that fail, so that no proxy is blamed for it. */
  failingDomains: string[];
  /** How far the database is behind, and what a crash may cost. */
  store: {
    /** Outcomes that a crash would cost now. */
    outcomes: number;
    /** How long the oldest of them has waited, in milliseconds. */
    ageMs: number;
    /** The code of the error with which the last attempt to store has failed; null if it has not. */
    error: string | null;
    /** Events of hand-outs that were lost, since the database could not be written for long. */
    lostEvents: number;
    /** Outcomes wait at most so many milliseconds; 0 if each is committed. */
    lossMs: number;
    /** So many outcomes wait at most; 0 if each is committed. */
    lossOutcomes: number;
  };
}

/** The counts by state, protocol and country. It looks at every proxy. */
export function countsOf(
  index: PoolIndex,
  absences: Absences,
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
    const state = isUsable || status === 'active' ? (absences.stateOf(slot) ?? 'ready') : status;
    states[state]++;
    const protocol = columns.protocol(slot);
    protocols[protocol] = (protocols[protocol] ?? 0) + 1;
    const country = columns.country(slot) ?? 'unknown';
    countries[country] = (countries[country] ?? 0) + 1;
  }
  return { states, protocols, countries };
}
