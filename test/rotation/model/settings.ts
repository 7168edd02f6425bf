import fc from 'fast-check';
import type { ModelSettings } from './state.ts';

/** The values that are tried, the plainest one first. */
const VALUES = {
  failureThreshold: [null, 2],
  maxRequestsPerProxy: [null, 2, 4],
  strategy: ['round-robin', 'random', 'least-used', 'fastest', 'failure-aware', 'weighted', 'sticky-session'],
  stickyWhenOut: ['move', 'refuse'],
  maxConcurrentPerProxy: [undefined, 1, 2],
  minIntervalMs: [undefined, 300],
  minDomainIntervalMs: [undefined, 900, 40_000],
  maxLeases: [undefined, 3],
  maxWaiting: [10_000, 2],
  restMs: [600_000, 3000],
  leaseMs: [60_000, 5000],
  failures: [3, 2],
  cooldownMs: [30_000, 4000],
  maxCooldownMs: [300_000, 50_000],
  blockedMs: [60_000],
  maxRetryAfterMs: [86_400_000, 40_000],
  domainProxies: [3, 2, 5],
  domainWindowMs: [10_000, 1000],
  overridePercent: [50, 0, 100],
  outcomes: ['batched', 'every'],
  lossOutcomes: [1000, 3],
} satisfies { [Name in keyof ModelSettings]: ModelSettings[Name][] };

const GROUPS: [string, (keyof ModelSettings)[]][] = [
  [
    'limits',
    [
      'maxConcurrentPerProxy',
      'minIntervalMs',
      'minDomainIntervalMs',
      'maxLeases',
      'maxWaiting',
      'restMs',
      'leaseMs',
    ],
  ],
  [
    'health',
    [
      'failures',
      'cooldownMs',
      'maxCooldownMs',
      'blockedMs',
      'maxRetryAfterMs',
      'domainProxies',
      'domainWindowMs',
      'overridePercent',
    ],
  ],
  ['durability', ['outcomes', 'lossOutcomes']],
];

export function plainSettings(): ModelSettings {
  return Object.fromEntries(
    Object.entries(VALUES).map(([name, [value]]) => [name, value]),
  ) as unknown as ModelSettings;
}

/** A change of the settings as `vault.config.update` takes it. */
export function asConfig(change: Partial<ModelSettings>) {
  const { failureThreshold, maxRequestsPerProxy, strategy, stickyWhenOut, ...rest } = change;
  const options: Record<string, unknown> = stickyWhenOut === undefined ? {} : { stickyWhenOut };
  for (const [group, names] of GROUPS) {
    const given = Object.entries(rest).filter(([name]) => (names as string[]).includes(name));
    if (given.length > 0) options[group] = Object.fromEntries(given);
  }
  const plain = Object.entries({ failureThreshold, maxRequestsPerProxy, strategy }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...Object.fromEntries(plain), options };
}

/** With which settings a run begins. */
export const settings: fc.Arbitrary<ModelSettings> = fc.record(
  Object.fromEntries(
    Object.entries(VALUES).map(([name, values]) => [
      name,
      fc.oneof(
        { weight: 1, arbitrary: fc.constant(values[0]) },
        { weight: 1, arbitrary: fc.constantFrom<unknown>(...values) },
      ),
    ]),
  ),
) as fc.Arbitrary<unknown> as fc.Arbitrary<ModelSettings>;

/** A change of one setting. */
export const change: fc.Arbitrary<Partial<ModelSettings>> = fc
  .constantFrom(...(Object.keys(VALUES) as (keyof ModelSettings)[]))
  .chain((name) => fc.constantFrom<unknown>(...VALUES[name]).map((value) => ({ [name]: value })));
