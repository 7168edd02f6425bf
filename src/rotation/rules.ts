import type { RotationRule, RuleAction, RuleCondition, RuleField } from '../database/types.ts';

/** What a rule can ask about. A condition on a fact that is absent does not hold. */
export type Facts = Partial<Record<RuleField, string | number | null | undefined>>;

export interface RuleMatch {
  rule: RotationRule;
  actions: readonly RuleAction[];
}

/**
 * The rules whose conditions hold, highest priority first, up to the first that stops. Rules that are switched off
 * are passed over. Texts are compared without regard to case.
 */
export function matchRules(rules: readonly RotationRule[], facts: Facts): RuleMatch[] {
  const matches: RuleMatch[] = [];
  for (const rule of rules.toSorted((a, b) => b.priority - a.priority)) {
    if (!rule.enabled || !holds(rule, facts)) continue;
    matches.push({ rule, actions: rule.actions });
    if (rule.stopOnMatch) break;
  }
  return matches;
}

function holds({ conditions, conditionLogic }: RotationRule, facts: Facts): boolean {
  const check = (condition: RuleCondition): boolean => conditionHolds(condition, facts[condition.field]);
  return conditionLogic === 'AND' ? conditions.every(check) : conditions.some(check);
}

function conditionHolds(
  { operator, value }: RuleCondition,
  fact: string | number | null | undefined,
): boolean {
  if (fact === null || fact === undefined) return false;
  const actual = normalize(fact);
  const wanted = Array.isArray(value) ? value.map(normalize) : [normalize(value as string | number)];
  const [first = '', second = ''] = wanted;
  switch (operator) {
    case 'equals':
      return actual === first;
    case 'not-equals':
      return actual !== first;
    case 'contains':
      return String(actual).includes(String(first));
    case 'starts-with':
      return String(actual).startsWith(String(first));
    case 'ends-with':
      return String(actual).endsWith(String(first));
    case 'in':
      return wanted.includes(actual);
    case 'not-in':
      return !wanted.includes(actual);
    case 'greater-than':
      return actual > first;
    case 'less-than':
      return actual < first;
    case 'between':
      return actual >= first && actual <= second;
  }
}

function normalize(value: string | number): string | number {
  return typeof value === 'string' ? value.toLowerCase() : value;
}
