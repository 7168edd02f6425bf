import { domainToUnicode } from 'node:url';

import type { RotationRule, RuleAction, RuleCondition, RuleField } from '../database/types.ts';

/** What a rule can ask about. A condition on a fact that is absent does not hold. */
export type Facts = Partial<Record<RuleField, string | number | null | undefined>>;

export interface RuleMatch {
  rule: RotationRule;
  actions: readonly RuleAction[];
}

/**
 * The rules whose conditions hold, highest priority first, up to the first that stops. Rules that are switched off
 * are passed over. Texts are compared without regard to case, and domains in one form, whatever way they are written.
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
  { field, operator, value }: RuleCondition,
  fact: string | number | null | undefined,
): boolean {
  if (fact === null || fact === undefined) return false;
  const form = field === 'domain' ? domainForm : normalize;
  const actual = withoutRoot(form(fact), field);
  const values = (Array.isArray(value) ? value : [value]).map((item) => form(item as string | number));
  // A beginning or a part of a name may end in a dot.
  const isPart = operator === 'starts-with' || operator === 'contains';
  const wanted = isPart ? values : values.map((item) => withoutRoot(item, field));
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

/** A domain, or a part of one, in small letters and Unicode: otherwise `a。de` or an `xn--` name would pass by a rule that blocks. */
function domainForm(value: string | number): string | number {
  const text = normalize(value);
  // Only what needs it is converted: a plain number would become an IPv4 address.
  if (typeof text === 'number' || !/[^\0-\x7f]|xn--/.test(text)) return text;
  return domainToUnicode(text) || text;
}

/** `a.de.` is the same domain as `a.de`. */
function withoutRoot(value: string | number, field: RuleField): string | number {
  return field === 'domain' && typeof value === 'string' ? value.replace(/\.$/, '') : value;
}
