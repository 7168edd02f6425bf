import type { RotationStrategy } from '../../model/rotation.ts';
import { failureAware } from './failure-aware.ts';
import { fastest } from './fastest.ts';
import { geographic } from './geographic.ts';
import { leastUsed } from './least-used.ts';
import { random } from './random.ts';
import { roundRobin } from './round-robin.ts';
import { stickySession } from './sticky-session.ts';
import type { Strategy } from './strategy.ts';
import { timeBased } from './time-based.ts';
import { weighted } from './weighted.ts';

/** Every strategy but `custom`, which names another one. A new one is a file here and a line below. */
export const STRATEGIES: Record<Exclude<RotationStrategy, 'custom'>, Strategy> = {
  'round-robin': roundRobin,
  random,
  'least-used': leastUsed,
  fastest,
  'failure-aware': failureAware,
  weighted,
  geographic,
  'sticky-session': stickySession,
  'time-based': timeBased,
};
