import type { FailureKind } from '../../../src/model/outcomes.ts';
import { type HealthSettings, POOL_DEFAULTS } from '../../../src/model/pool-options.ts';
import type { HealthChange, Use } from '../../../src/rotation/health/circuit.ts';
import type { DomainChange } from '../../../src/rotation/health/domain-watch.ts';
import { Health } from '../../../src/rotation/health/health.ts';

export const SECOND = 1000;

/** Health of a few proven proxies, without jitter. */
export function openHealth(
  options: Partial<HealthSettings> & { slots?: number; isProven?: boolean; failureThreshold?: number } = {},
) {
  const { slots = 10, isProven = true, failureThreshold = null, ...given } = options;
  const settings: HealthSettings = { ...POOL_DEFAULTS.health, jitter: 0, ...given };
  const domains: DomainChange[] = [];
  const health = new Health({
    settings,
    failureThreshold,
    random: () => 0.5,
    onDomain: (change) => domains.push(change),
  });
  health.grow(slots);
  for (let slot = 0; slot < slots; slot++) health.begin(slot, isProven);
  return { health, domains, settings };
}

export function use(slot: number, of: Partial<Use> = {}): Use {
  return { slot, domain: null, session: null, isGateway: false, ...of };
}

/** Fails so many times; gives what changed at the last. */
export function fail(
  health: Health,
  of: Use,
  kind: FailureKind,
  now: number,
  count = 1,
): readonly HealthChange[] {
  let changes: readonly HealthChange[] = [];
  for (let i = 0; i < count; i++) ({ changes } = health.failed(of, { kind }, now));
  return changes;
}

/** A few words for each change. */
export function told(changes: readonly HealthChange[]): string[] {
  return changes.map(({ slot, scope, state, kind }) =>
    [slot, scope, state, kind].filter((part) => part !== '').join(' '),
  );
}
