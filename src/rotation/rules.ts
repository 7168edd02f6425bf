import { domainToUnicode } from 'node:url';
import { normalizeDomainPattern } from '../model/domain.ts';
import type { RotationRule, RuleAction, RuleCondition, RuleField, RuleOperator } from '../model/rules.ts';
import { withoutLogin } from '../model/web-url.ts';

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
  const form = formsOf(field, operator);
  const actual = form.fact(fact);
  const wanted = (Array.isArray(value) ? value : [value]).map((item) => form.value(item as string | number));
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

type Form = (value: string | number) => string | number;

/** The forms in which a fact and the values of a condition are compared. */
function formsOf(field: RuleField, operator: RuleOperator): { fact: Form; value: Form } {
  if (field === 'url') return { fact: wholeUrl, value: wholeUrl };
  if (field !== 'domain') return { fact: normalize, value: normalize };
  if (!['contains', 'starts-with', 'ends-with'].includes(operator))
    return { fact: wholeDomain, value: wholeDomain };
  const fact = (value: string | number): string => domainPart(wholeDomain(value));
  // A beginning or a part of a name may end in a dot.
  return { fact, value: operator === 'ends-with' ? (value) => withoutRoot(domainPart(value)) : domainPart };
}

function normalize(value: string | number): string | number {
  return typeof value === 'string' ? value.toLowerCase() : value;
}

/** A URL without its login, which is no part of what is asked for and could pass by a rule that blocks. */
function wholeUrl(value: string | number): string {
  return withoutLogin(String(value)).toLowerCase();
}

/** A domain, or the host of a URL, in the one form in which it is stored: no other spelling passes by a rule that blocks. */
function wholeDomain(value: string | number): string {
  const parsed = normalizeDomainPattern(String(value));
  return 'error' in parsed ? withoutRoot(domainPart(value)) : parsed.pattern;
}

/** A part of a domain in small letters and Unicode: otherwise `a。de` or an `xn--` name would pass by a rule that blocks. */
function domainPart(value: string | number): string {
  const text = String(value).toLowerCase();
  // Only what needs it is converted: a plain number would become an IPv4 address.
  return /[^\0-\x7f]|xn--/.test(text) ? domainToUnicode(text) || text : text;
}

/** `a.de.` is the same domain as `a.de`. */
function withoutRoot(domain: string): string {
  return domain.replace(/\.$/, '');
}
