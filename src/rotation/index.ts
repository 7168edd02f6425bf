/** Which proxy next: an index in memory, strategies, rules, sessions. decide.ts is the place to begin. */
export type { ExplainedRule, Explanation, RunnerUp } from './explain.ts';
export type { Lease } from './lease.ts';
export { loginValues } from './login-values.ts';
export type { FailureReport, OutcomeReport, SuccessReport } from './outcome.ts';
export { Pool } from './pool.ts';
export type { CoolOptions } from './pool-care.ts';
export type { PoolEvents } from './pool-events.ts';
export type { ChosenProxy } from './pool-index.ts';
export type { PoolOptions } from './pool-parts.ts';
export type { PoolStats } from './pool-stats.ts';
export type { ProxyReport } from './report.ts';
export type { AcquireRequest, LeaseRequest, PoolRequest } from './request.ts';
export type { TracedCondition } from './rules/trace.ts';
export type { FilterStep } from './steps.ts';
export { leaseIdOf, readTicket } from './ticket.ts';
