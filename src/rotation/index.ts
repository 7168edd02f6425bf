/** Which proxy next: an index in memory, strategies, rules, sessions. decide.ts is the place to begin. */
export type { ExplainedRule, Explanation, RunnerUp } from './explain.ts';
export { Pool } from './pool.ts';
export type { ChosenProxy } from './pool-index.ts';
export type { ProxyReport } from './report.ts';
export type { PoolRequest } from './request.ts';
export type { TracedCondition } from './rules/trace.ts';
export type { FilterStep } from './steps.ts';
