import type { RotationRule } from 'proxyvault/database';
import type { RuleFacts } from '../../../src/rotation/rules/facts.ts';

type Condition = RotationRule['conditions'][number];
type Value = string | number;

/** The rules that match, by the plain meaning of each word: no preparation, nothing kept. For plain ASCII domains, in UTC. */
export function naiveMatches(rules: readonly RotationRule[], facts: RuleFacts): RotationRule[] {
  const left = [...rules];
  const matched: RotationRule[] = [];
  while (left.length > 0) {
    const next = left.reduce((best, rule) => (isBefore(rule, best) ? rule : best));
    left.splice(left.indexOf(next), 1);
    if (!next.enabled) continue;
    const results = next.conditions.map((condition) => holds(condition, facts));
    if (next.conditionLogic === 'AND' ? results.includes(false) : !results.includes(true)) continue;
    matched.push(next);
    if (next.stopOnMatch) break;
  }
  return matched;
}

function isBefore(rule: RotationRule, other: RotationRule): boolean {
  if (rule.priority !== other.priority) return rule.priority > other.priority;
  return rule.createdAt < other.createdAt || (rule.createdAt === other.createdAt && rule.id < other.id);
}

function holds(condition: Condition, facts: RuleFacts): boolean {
  if (condition.field === 'tag') {
    const tags = facts.tags ?? [];
    const results = tags.map((tag) => compare(condition, tag));
    return condition.operator.startsWith('not-')
      ? tags.length > 0 && !results.includes(false)
      : results.includes(true);
  }
  const fact = factOf(condition, facts);
  return fact !== null && fact !== undefined && compare(condition, fact);
}

function factOf({ field }: Condition, facts: RuleFacts): Value | null | undefined {
  if (field === 'hour') return new Date(facts.now).getUTCHours();
  if (field === 'weekday') return new Date(facts.now).getUTCDay();
  if (field === 'latency' || field === 'successRate' || field === 'failureCount') return facts.last?.[field];
  if (field === 'path') return facts.path ?? (facts.url ? new URL(facts.url).pathname : null);
  if (field === 'url') return facts.url ? withoutLogin(facts.url) : null;
  return field === 'tag' ? null : facts[field];
}

/** Neither the request nor a rule has a login in its URL. */
function withoutLogin(url: string): string {
  return url.replace(/^(https?:\/\/)[^/]*@/, '$1');
}

function compare({ field, operator, value, caseSensitive }: Condition, given: Value): boolean {
  const form = (each: Value): Value =>
    typeof each === 'string' && (field === 'domain' || caseSensitive !== true) ? each.toLowerCase() : each;
  const fact = form(given);
  const bare = (each: Value): Value => (field === 'url' ? withoutLogin(String(each)) : each);
  const values = [value].flat().map((each) => form(bare(each as Value)));
  const [first, second] = values as [Value, Value];
  if (operator === 'equals') return fact === first;
  if (operator === 'not-equals') return fact !== first;
  if (operator === 'in') return values.some((each) => each === fact);
  if (operator === 'not-in') return values.every((each) => each !== fact);
  if (operator === 'greater-than') return fact > first;
  if (operator === 'less-than') return fact < first;
  if (operator === 'between') {
    const isRound = (field === 'hour' || field === 'weekday') && first > second;
    return isRound ? fact >= first || fact <= second : fact >= first && fact <= second;
  }
  // The patterns of the test mean the same to JavaScript.
  if (operator === 'matches')
    return new RegExp(String(value), caseSensitive === true ? '' : 'i').test(String(given));
  const [text, part] = [String(fact), String(first)];
  if (operator === 'starts-with') return text.slice(0, part.length) === part;
  if (operator === 'ends-with')
    return text.length >= part.length && text.slice(text.length - part.length) === part;
  return text.split(part).length > 1 === (operator === 'contains');
}
