import type { Session } from '../database/drivers/driver.ts';
import { ProxyVaultError } from '../errors.ts';
import { assertFunction, assertId, assertOptions, invalidInput } from '../model/validation.ts';
import { Acquiring } from './acquiring.ts';
import { Availability } from './availability.ts';
import { type Check, type Choice, Choosing } from './choosing.ts';
import { decide } from './decide.ts';
import { Elapsed } from './elapsed.ts';
import { type Explanation, explain } from './explain.ts';
import { Follower } from './follow.ts';
import { HandOuts } from './hand-out.ts';
import type { Lease } from './lease.ts';
import { Leasing, type Reveal } from './leasing.ts';
import { Learning } from './learning.ts';
import { noProxyError } from './no-proxy.ts';
import type { OutcomeReport } from './outcome.ts';
import { Announcer, type PoolEventName, type PoolListener } from './pool-events.ts';
import type { ChosenProxy, PoolIndex } from './pool-index.ts';
import { type Cooling, PoolCare } from './pool-care.ts';
import { type PoolStats, statsOf } from './pool-stats.ts';
import { type ProxyReport, Reports } from './report.ts';
import { type AcquireRequest, type LeaseRequest, leaseRequestOf, type PoolRequest, wantedBy } from './request.ts';
import type { RuleTrace } from './rules/trace.ts';
import { Sticky } from './sticky.ts';
import { Store } from './store.ts';
import { Turns } from './turns.ts';
import { WriteBehind } from './write-behind.ts';

/** What a pool is made with. */
export interface PoolOptions {
  /** Gives numbers from 0, inclusive, to 1, exclusive; for tests. Default `Math.random`. */
  random?: (() => number) | undefined;
  /** How a lease gets its login; a vault gives its own. */
  reveal?: Reveal | undefined;
}
