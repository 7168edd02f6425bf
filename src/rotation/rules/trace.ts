import type { RotationRule, RuleCondition } from '../../model/rules.ts';
import type { Check } from './checks.ts';
import type { Facts } from './facts.ts';

/** What a condition was compared with; null if the request does not say, or no proxy was handed out yet. */
type TracedFact = string | number | readonly string[] | null;

export interface TracedCondition {
  condition: RuleCondition;
  holds: boolean;
  fact: TracedFact;
}

/** How a rule was judged for one request. A URL has no login in it. */
export interface RuleTrace {
  rule: RotationRule;
  /** Whether its conditions hold, also if it was not asked. */
  holds: boolean;
  conditions: TracedCondition[];
  /** Why its actions are not taken though it may hold: a rule before it has stopped, or it is switched off. */
  reason?: 'stopped' | 'disabled';
}

export function traceOf(
  rule: RotationRule,
  checks: readonly Check[],
  facts: Facts,
): Omit<RuleTrace, 'reason'> {
  const conditions = rule.conditions.map((condition, index) => ({
    condition,
    holds: checks[index]?.(facts) ?? false,
    fact: factOf(condition, facts),
  }));
  const isTrue = ({ holds }: TracedCondition): boolean => holds;
  const holds = rule.conditionLogic === 'AND' ? conditions.every(isTrue) : conditions.some(isTrue);
  return { rule, holds, conditions };
}

function factOf({ field }: RuleCondition, facts: Facts): TracedFact {
  switch (field) {
    case 'domain':
      return facts.domain;
    case 'tag':
      return facts.tags.length === 0 ? null : facts.tags;
    case 'hour':
    case 'weekday':
      return facts[field];
    case 'latency':
    case 'successRate':
    case 'failureCount':
      return facts.last?.[field] ?? null;
    default:
      return facts.text(field);
  }
}
