import type { NumberField } from '../../model/rules/conditions.ts';
import type { RuleCondition, RuleOperator } from '../../model/rules.ts';
import { withoutLogin } from '../../model/web-url.ts';
import { domainPart, wholeDomain, withoutRoot } from './domain-forms.ts';
import type { Facts, FoldedField } from './facts.ts';
import { pathForm } from './path-form.ts';
import type { Patterns, TextTest } from './patterns.ts';

/** The forms of values that are not compared as they are written. */
const FORMS: Partial<Record<FoldedField, (value: string) => string>> = { url: withoutLogin, path: pathForm };
const asItIs = (value: string): string => value;

/** Whether a condition holds for a request. */
export type Check = (facts: Facts) => boolean;

/** A condition with its values in the form that facts are compared in, so that a request costs no more than the comparison. */
export function checkOf(condition: RuleCondition, patterns: Patterns): Check {
  switch (condition.field) {
    case 'hour':
    case 'weekday':
    case 'latency':
    case 'successRate':
    case 'failureCount':
      return numberCheck(condition, condition.field);
    case 'domain':
      return domainCheck(condition, patterns);
    case 'tag':
      return tagCheck(condition, patterns);
    default:
      return textCheck(condition, condition.field, patterns);
  }
}

function domainCheck(condition: RuleCondition, patterns: Patterns): Check {
  const { operator } = condition;
  const test = textTest(condition, patterns, domainForm(operator));
  if (isWhole(operator)) return (facts) => facts.domain !== null && test(facts.domain);
  return (facts) => facts.domainText !== null && test(facts.domainText);
}

/** The form of the values that a domain is compared with. */
function domainForm(operator: RuleOperator): (value: string) => string {
  if (isWhole(operator)) return wholeDomain;
  // A beginning or a part of a name may end in a dot.
  return operator === 'ends-with' ? (value) => withoutRoot(domainPart(value)) : domainPart;
}

function isWhole(operator: RuleOperator): boolean {
  return ['equals', 'not-equals', 'in', 'not-in'].includes(operator);
}

function textCheck(condition: RuleCondition, field: FoldedField, patterns: Patterns): Check {
  const { caseSensitive = false } = condition;
  const bare = FORMS[field] ?? asItIs;
  if (caseSensitive) {
    const test = textTest(condition, patterns, bare);
    return (facts) => {
      const text = facts.text(field);
      return text !== null && test(text);
    };
  }
  const test = textTest(condition, patterns, (value) => bare(value).toLowerCase());
  return (facts) => {
    const text = facts.folded(field);
    return text !== null && test(text);
  };
}

/** A request may have several tags: one must hold, and of a denial all. */
function tagCheck(condition: RuleCondition, patterns: Patterns): Check {
  const { operator, caseSensitive = false } = condition;
  const test = textTest(
    condition,
    patterns,
    caseSensitive ? (value) => value : (value) => value.toLowerCase(),
  );
  const isDenial = operator.startsWith('not-');
  return (facts) => {
    const tags = caseSensitive ? facts.tags : facts.foldedTags;
    if (tags.length === 0) return false;
    return isDenial ? tags.every(test) : tags.some(test);
  };
}

function textTest(condition: RuleCondition, patterns: Patterns, form: (value: string) => string): TextTest {
  const { field, operator, value, caseSensitive = false } = condition;
  const values = (Array.isArray(value) ? value : [value]).map(String);
  if (operator === 'matches') return patterns.add(values[0] ?? '', { fact: field, caseSensitive });
  const wanted = values.map(form);
  const [first = ''] = wanted;
  const set = new Set(wanted);
  switch (operator) {
    case 'equals':
      return (text) => text === first;
    case 'not-equals':
      return (text) => text !== first;
    case 'contains':
      return (text) => text.includes(first);
    case 'not-contains':
      return (text) => !text.includes(first);
    case 'starts-with':
      return (text) => text.startsWith(first);
    case 'ends-with':
      return (text) => text.endsWith(first);
    case 'in':
      return (text) => set.has(text);
    case 'not-in':
      return (text) => !set.has(text);
    default:
      return () => false;
  }
}

function numberCheck(condition: RuleCondition, field: NumberField): Check {
  const test = numberTest(condition, field);
  switch (field) {
    case 'hour':
      return (facts) => test(facts.hour);
    case 'weekday':
      return (facts) => test(facts.weekday);
    case 'latency':
    case 'successRate':
    case 'failureCount':
      return ({ last }) => {
        const fact = last?.[field];
        return fact !== undefined && fact !== null && test(fact);
      };
  }
}

function numberTest({ operator, value }: RuleCondition, field: NumberField): (fact: number) => boolean {
  const values = (Array.isArray(value) ? value : [value]).map(Number);
  const [first = Number.NaN, second = Number.NaN] = values;
  const set = new Set(values);
  switch (operator) {
    case 'equals':
      return (fact) => fact === first;
    case 'not-equals':
      return (fact) => fact !== first;
    case 'greater-than':
      return (fact) => fact > first;
    case 'less-than':
      return (fact) => fact < first;
    case 'between': {
      // From 22 to 6 is a night, and from 5 to 1 a long weekend.
      const isRound = (field === 'hour' || field === 'weekday') && first > second;
      return isRound ? (fact) => fact >= first || fact <= second : (fact) => fact >= first && fact <= second;
    }
    case 'in':
      return (fact) => set.has(fact);
    case 'not-in':
      return (fact) => !set.has(fact);
    default:
      return () => false;
  }
}
