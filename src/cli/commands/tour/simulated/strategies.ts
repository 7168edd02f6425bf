import type { RotationConfigUpdate } from '../../../../database/index.ts';
import type { RotationStrategy } from '../../../../model/rotation.ts';
import type { PoolRequest } from '../../../../rotation/index.ts';
import type { Vault } from '../../../../vault.ts';
import { table } from '../../../output.ts';
import type { Text } from '../../../terminal.ts';
import type { SimulatedClock } from './clock.ts';

const MINUTE = 60_000;
/** So many for each strategy, one a minute. */
export const REQUESTS = 60;

interface Simulated {
  name: string;
  country: string;
  latencyMs: number;
  /** The share of requests that succeed. */
  success: number;
}

const FIVE: readonly Simulated[] = [
  { name: 'alpha', country: 'DE', latencyMs: 60, success: 1 },
  { name: 'bravo', country: 'DE', latencyMs: 120, success: 1 },
  { name: 'charlie', country: 'FR', latencyMs: 240, success: 1 },
  { name: 'delta', country: 'US', latencyMs: 480, success: 1 },
  { name: 'echo', country: 'US', latencyMs: 60, success: 0 },
];
const SMALL: PoolRequest = { tags: ['five'] };

interface Shown {
  strategy: RotationStrategy;
  options?: RotationConfigUpdate['options'];
  what: string;
  /** What the request of this number asks for. */
  request?: (number: number) => PoolRequest;
}

const SHOWN: readonly Shown[] = [
  { strategy: 'round-robin', what: 'each in turn' },
  { strategy: 'random', what: 'any' },
  { strategy: 'least-used', what: 'who had fewest' },
  { strategy: 'fastest', what: 'slow and failing ones get fewer' },
  { strategy: 'failure-aware', what: 'echo fails, and is tried now and then' },
  {
    strategy: 'weighted',
    options: { weights: { alpha: 1, bravo: 2, charlie: 3, delta: 4, echo: 5 } },
    what: 'weights from 1 to 5',
  },
  { strategy: 'geographic', options: { country: 'DE' }, what: 'country DE' },
  {
    strategy: 'sticky-session',
    what: 'twelve shops, each keeps its proxy',
    request: (number) => ({ domain: `shop-${number % 12}.example` }),
  },
  { strategy: 'time-based', what: 'another one every ten minutes' },
  {
    strategy: 'custom',
    options: { custom: 'random' },
    what: 'a rule keeps every second request out of US, the rest is random',
    request: (number) => ({ url: `https://shop.example/${number % 2 ? 'cart' : 'item'}/${number}` }),
  },
];

/** How long all of this takes by the simulated clock. */
export const STRATEGIES_TAKE = SHOWN.length * REQUESTS * MINUTE;

/** Hands out five proxies by each strategy, with made-up outcomes, and counts. */
export function strategiesTable(vault: Vault, clock: SimulatedClock, random: () => number): Text {
  for (const { name, country } of FIVE) addProxy(vault, name, country);
  vault.rules.create({
    name: 'carts',
    conditions: [{ field: 'path', operator: 'starts-with', value: '/cart' }],
    actions: [{ type: 'exclude-country', country: 'US' }],
  });
  const rows = SHOWN.map((shown) => {
    const counts = new Map(FIVE.map(({ name }) => [name, 0]));
    vault.config.reset();
    vault.config.update({ strategy: shown.strategy, options: shown.options });
    for (let number = 0; number < REQUESTS; number++) {
      clock.advance(MINUTE);
      const { id, name } = vault.pool.choose({ ...SMALL, ...shown.request?.(number) });
      counts.set(name, (counts.get(name) ?? 0) + 1);
      const { latencyMs = 0, success = 1 } = FIVE.find((each) => each.name === name) ?? {};
      vault.pool.report(id, random() < success ? { success: true, latencyMs } : { success: false });
    }
    return [shown.strategy, ...counts.values(), shown.what];
  });
  return table(['STRATEGY', ...FIVE.map(({ name }) => name.toUpperCase()), 'WHAT IT DOES'], rows);
}

/** Its id is its name, so that the tour is the same each time. */
function addProxy({ proxies, tags }: Vault, name: string, country: string): void {
  proxies.create({
    id: name,
    name,
    protocol: 'http',
    host: `${name}.example`,
    port: 8080,
    geolocation: { country },
  });
  tags.add(name, 'five', 'the tour');
}
