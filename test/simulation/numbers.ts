import { POOL_DEFAULTS } from '../../src/model/pool-options.ts';
import { type Plan, SAMPLE, type Sample, type Story } from './run.ts';
import { SECOND } from './world.ts';

const { cooldownMs, maxCooldownMs, jitter, failures } = POOL_DEFAULTS.health;

/** No cooldown of the engine is longer, if nobody asks for it. */
export const BACKOFF = maxCooldownMs * (1 + jitter);

/**
 * After this time every proxy was asked as often as it takes to tell that it is silent (a turn of the pool for each of the failures), and
 * those that are dead are at their longest cooldown: 30, 60, 120 and 240 seconds were before it. So it depends on the size of the pool and on
 * the rate of requests, and for a big rate it is eight minutes.
 */
export function warmUp({ proxies, rate }: Pick<Plan, 'proxies' | 'rate'>): number {
  let cooldowns = 0;
  for (let length = cooldownMs; length < maxCooldownMs; length *= 2) cooldowns += length * (1 + jitter);
  return Math.ceil((failures * SECOND * (proxies / rate) + cooldowns) / SAMPLE) * SAMPLE;
}

/** Shares of the requests that succeed, in percent. */
export interface Shares {
  pool: number;
  oracle: number;
}

export function sharesOf(samples: readonly Sample[]): Shares {
  const sum = (count: (sample: Sample) => number) => samples.reduce((all, each) => all + count(each), 0);
  const requests = sum((sample) => sample.requests);
  return {
    pool: (100 * sum(({ successes }) => successes)) / requests,
    oracle: (100 * sum(({ possible }) => possible)) / requests,
  };
}

/** The samples that begin in a time. */
export function between({ samples }: Story, from: number, until: number): Sample[] {
  return samples.filter((sample) => sample.from >= from && sample.from < until);
}

/** How long after it came back each proxy was used again, the longest last; Infinity for one that was not. */
export function recoveries({ world, uses }: Story, from: number, until: number): number[] {
  const times: number[] = [];
  for (let proxy = 0; proxy < world.size; proxy++) {
    for (const back of world.returns(proxy)) {
      if (back < from || back > until) continue;
      const used = uses.get(proxy)?.find((time) => time >= back) ?? Number.POSITIVE_INFINITY;
      times.push(used - back);
    }
  }
  return times.sort((a, b) => a - b);
}

/** Cooldowns of proxies that always work, which nobody has asked for, and that were not taken back in `within`. */
export function unjust({ world, cooled, recovered }: Story, within: number): Story['cooled'] {
  return cooled.filter(
    ({ proxy, kind, domain, at }) =>
      world.isSteady(proxy) &&
      kind !== 'blocked' &&
      !recovered.some(
        (back) => back.proxy === proxy && back.domain === domain && back.at >= at && back.at - at <= within,
      ),
  );
}
