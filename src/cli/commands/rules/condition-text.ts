import {
  conditionSchema,
  NUMBER_FIELDS,
  NUMBER_OPERATORS,
  RULE_FIELDS,
  TEXT_OPERATORS,
} from '../../../model/rules/conditions.ts';
import type { RuleCondition, RuleField, RuleOperator } from '../../../model/rules.ts';
import { invalidInput, parse } from '../../../model/validation.ts';
import { readList, readValue, written } from './values.ts';

const FORM = "FIELD OPERATOR VALUE, such as 'domain ends-with .shop.example'";
/** The word between the operator and the value of a condition that compares texts in their case. */
const CASE = 'case-sensitive';
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const SHORT_DAYS = DAYS.map((day) => day.slice(0, 3));
const LISTS: readonly RuleOperator[] = ['in', 'not-in', 'between'];

/**
 * Reads a condition as a user writes it: `domain ends-with .shop.example`, `hour between 22,6`, `weekday in sat,sun`,
 * `path contains case-sensitive /Cart`.
 *
 * @param caseSensitive whether texts are compared in their case though the condition does not say so.
 * @throws INVALID_INPUT, which says what to write and repeats no value.
 */
export function parseCondition(text: string, { caseSensitive = false } = {}): RuleCondition {
  const [, typedField = '', typedOperator = '', rest = ''] =
    /^\s*(\S+)\s*(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  const field = RULE_FIELDS.find((each) => each.toLowerCase() === typedField.toLowerCase());
  if (field === undefined)
    throw invalidInput(`A condition is ${FORM}. ${unknown('field', typedField)} ${RULE_FIELDS.join(', ')}.`);
  const operators: readonly RuleOperator[] = isNumber(field) ? NUMBER_OPERATORS : TEXT_OPERATORS;
  const operator = operators.find((each) => each === typedOperator.toLowerCase());
  if (operator === undefined)
    throw invalidInput(
      `The condition on ${field} must be ${FORM}. ${unknown('operator', typedOperator)} ${operators.join(', ')}.`,
    );

  const what = `"${field} ${operator}"`;
  const [, caseWord, typedValue = ''] = new RegExp(`^(${CASE}\\s+)?([\\s\\S]*)$`).exec(rest) ?? [];
  if (caseWord !== undefined && !hasCase(field))
    throw invalidInput(`${what} has no case: leave out ${CASE}, or write the value in quotes.`);
  const value = valueIn({ field, operator, text: typedValue, what });
  const isInCase = caseWord !== undefined || (caseSensitive && hasCase(field));
  const condition = { field, operator, value, ...(isInCase ? { caseSensitive: true } : {}) };
  return parse(conditionSchema, condition, `condition ${what}`);
}

/** A condition as {@link parseCondition} reads it. */
export function conditionText({ field, operator, value, caseSensitive }: RuleCondition): string {
  const inList = LISTS.includes(operator);
  const items = [value].flat().map((each) => valueText(field, each as string | number, inList));
  return [field, operator, ...(caseSensitive === true ? [CASE] : []), items.join(',')].join(' ');
}

/** Whether a text may be compared in its case. A domain and a number have none. */
export function hasCase(field: RuleField): boolean {
  return field !== 'domain' && !isNumber(field);
}

function valueIn({
  field,
  operator,
  text,
  what,
}: {
  field: RuleField;
  operator: RuleOperator;
  text: string;
  what: string;
}): RuleCondition['value'] {
  const one = (item: string): string | number => (isNumber(field) ? numberOf(field, item, what) : item);
  if (text.trim() === '') throw invalidInput(`${what} has no value: a condition is ${FORM}.`);
  if (!LISTS.includes(operator)) return one(readValue(text, what));
  const items = readList(text, what).map(one);
  if (operator === 'between' && items.length !== 2)
    throw invalidInput(
      `${what} takes two numbers with a comma between them, the first and the last, such as 9,17.`,
    );
  return items;
}

function numberOf(field: RuleField, item: string, what: string): number {
  // `sat`, `Saturday`, and what is between them.
  const isDay = field === 'weekday' && item.length >= 3;
  const day = isDay ? DAYS.findIndex((name) => name.startsWith(item.toLowerCase())) : -1;
  if (day !== -1) return day;
  const number = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(item) ? Number(item) : Number.NaN;
  if (Number.isFinite(number)) return number;
  const wanted =
    field === 'weekday' ? `${SHORT_DAYS.join(', ')}, or a number from 0 (sun) to 6 (sat)` : 'a number';
  throw invalidInput(`${what} must be followed by ${wanted}.`);
}

/** A value as {@link parseCondition} reads it: days of the week by their names. */
export function valueText(field: RuleField, value: string | number, inList = false): string {
  if (typeof value === 'string') return written(value, { inList });
  return (field === 'weekday' ? SHORT_DAYS[value] : undefined) ?? String(value);
}

function isNumber(field: RuleField): boolean {
  return NUMBER_FIELDS.some((each) => each === field);
}

/** What was typed may be a value in the wrong place: only a word is repeated. */
function unknown(kind: string, typed: string): string {
  const isWord = /^[a-z-]{1,32}$/i.test(typed);
  return isWord ? `There is no ${kind} "${typed}"; there are` : `Its ${kind} is one of`;
}
