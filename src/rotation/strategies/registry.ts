import { ProxyVaultError } from '../../errors.ts';
import type { RotationStrategy } from '../../model/rotation.ts';
import { fastest } from './fastest.ts';
import { leastUsed } from './least-used.ts';
import { random } from './random.ts';
import { roundRobin } from './round-robin.ts';
import type { Strategy } from './strategy.ts';

/** The strategies that can choose. A new one is a file here and a line below. */
const STRATEGIES: Partial<Record<RotationStrategy, Strategy>> = {
  'round-robin': roundRobin,
  random,
  'least-used': leastUsed,
  fastest,
  // A domain keeps its first proxy (the rotator sees to that); new domains take turns.
  'sticky-session': roundRobin,
};

/** @throws UNSUPPORTED for a strategy that can be configured and not yet chosen by. */
export function strategyNamed(name: RotationStrategy): Strategy {
  const strategy = STRATEGIES[name];
  if (strategy) return strategy;
  throw new ProxyVaultError(
    'UNSUPPORTED',
    `The strategy ${name} cannot choose in this version: set one of ${Object.keys(STRATEGIES).join(', ')}.`,
  );
}
