import { z } from 'zod';
import { countrySchema } from '../country.ts';
import { hostDomainSchema, normalizeDomainPattern } from '../domain.ts';
import { text } from '../field-schemas.ts';
import { withoutLogin } from '../web-url.ts';
import { patternProblem } from './pattern.ts';

const PLAIN_FIELDS = ['protocol', 'region', 'tag', 'session'] as const;
const URL_FIELDS = ['url', 'path'] as const;

/** `failureCount`, `latency` and `successRate` are those of the proxy that was handed out last. */
export const NUMBER_FIELDS = ['hour', 'weekday', 'failureCount', 'latency', 'successRate'] as const;
export const RULE_FIELDS = ['domain', ...URL_FIELDS, 'country', ...PLAIN_FIELDS, ...NUMBER_FIELDS] as const;
export type RuleField = (typeof RULE_FIELDS)[number];
export type NumberField = (typeof NUMBER_FIELDS)[number];

const EQUALITY = ['equals', 'not-equals'] as const;
const PARTS = ['contains', 'not-contains', 'starts-with', 'ends-with'] as const;
const MEMBERSHIP = ['in', 'not-in'] as const;
const ORDER = ['greater-than', 'less-than'] as const;

export const TEXT_OPERATORS = [...EQUALITY, ...PARTS, 'matches', ...MEMBERSHIP] as const;
export const NUMBER_OPERATORS = [...EQUALITY, ...ORDER, 'between', ...MEMBERSHIP] as const;
export type RuleOperator = (typeof TEXT_OPERATORS)[number] | (typeof NUMBER_OPERATORS)[number];

/**
 * `in` and `not-in` take an array, `between` a pair (both ends included), `matches` a regular expression in RE2 syntax, and the
 * others one value. A `path` is that of `URL.pathname`, percent-encoded: a value may be written either way, but not a regular expression.
 */
export interface RuleCondition {
  field: RuleField;
  operator: RuleOperator;
  value: string | number | readonly (string | number)[];
  /** Whether a text is compared in its case; default false. Domains have no case. */
  caseSensitive?: boolean | undefined;
}

/** What a text may be compared with as a whole, and what it may begin with, end with or contain. */
interface Operands {
  whole: z.ZodType<string, string>;
  part: z.ZodType<string, string>;
  /** A regular expression; any unless given. */
  pattern?: z.ZodType<string, string>;
}

const regularExpression = text(1024).superRefine((value, context) => {
  const problem = patternProblem(value);
  if (problem !== null) context.addIssue(problem);
});

const ANY_TEXT: Operands = { whole: text(1024), part: text(1024) };

/** Rules are stored and shown in clear. */
const urlText = text(1024).transform(withoutLogin);
const URL_TEXT: Operands = { whole: urlText, part: urlText, pattern: urlText.pipe(regularExpression) };

/** Takes the host of a URL or `host:port`, and leaves any other text alone: a part of a domain need not be a domain. */
const domainPart = text(1024).transform((value, context) => {
  const isWhole = /[/@?#]|\.[^:]*:\d*$/.test(value);
  const parsed = isWhole ? normalizeDomainPattern(value, { wildcards: false }) : { pattern: value };
  if ('pattern' in parsed && !/\s/.test(parsed.pattern)) return parsed.pattern;
  context.addIssue('must be a part of a domain, such as .example');
  return z.NEVER;
});

const COUNTRY: Operands = { whole: countrySchema, part: text(2) };

function textCondition<F extends string, C extends z.ZodRawShape>(
  field: z.ZodType<F, F>,
  { whole, part, pattern = regularExpression }: Operands,
  options: C,
) {
  const many = z.array(whole).min(1).max(1000);
  return z.discriminatedUnion('operator', [
    z.strictObject({ field, operator: z.enum(EQUALITY), value: whole, ...options }),
    z.strictObject({ field, operator: z.enum(PARTS), value: part, ...options }),
    z.strictObject({ field, operator: z.literal('matches'), value: pattern, ...options }),
    z.strictObject({ field, operator: z.enum(MEMBERSHIP), value: many, ...options }),
  ]);
}

const CASE = { caseSensitive: z.boolean().optional() };
const numberField = z.enum(NUMBER_FIELDS);
const pair = z.tuple([z.number(), z.number()], { error: 'must be two numbers, the first and the last' });

/**
 * A condition, in which a domain may be compared with `domain`. Which field and operator go with which value is checked here;
 * its type says only what any condition has, so that callers can build one from parts.
 */
function conditionOf(domain: Operands): z.ZodType<RuleCondition, RuleCondition> {
  return z.discriminatedUnion('field', [
    textCondition(z.literal('domain'), domain, {}),
    textCondition(z.enum(URL_FIELDS), URL_TEXT, CASE),
    textCondition(z.literal('country'), COUNTRY, CASE),
    textCondition(z.enum(PLAIN_FIELDS), ANY_TEXT, CASE),
    z.discriminatedUnion('operator', [
      z.strictObject({ field: numberField, operator: z.enum([...EQUALITY, ...ORDER]), value: z.number() }),
      z.strictObject({
        field: numberField,
        operator: z.enum(MEMBERSHIP),
        value: z.array(z.number()).min(1).max(1000),
      }),
      z.strictObject({ field: numberField, operator: z.literal('between'), value: pair }),
    ]),
  ]);
}

function conditionsOf(condition: z.ZodType<RuleCondition, RuleCondition>) {
  return z.array(condition).min(1).max(100);
}

export const conditionSchema = conditionOf({ whole: hostDomainSchema, part: domainPart });
export const conditionsSchema = conditionsOf(conditionSchema);

/** Conditions as they are stored: an older version stored domains as they were written. */
export const storedConditionsSchema = conditionsOf(conditionOf(ANY_TEXT));
