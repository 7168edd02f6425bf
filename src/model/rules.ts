import { z } from 'zod';

import { hostDomainSchema, normalizeDomainPattern } from './domain.ts';
import { type Changes, idSchema, readOnly, text, updateOf } from './field-schemas.ts';
import { protocolSchema, regionSchema } from './proxy.ts';
import { strategySchema } from './rotation.ts';
import { withoutLogin } from './web-url.ts';

const TEXT_FIELDS = ['protocol', 'region'] as const;
const NUMBER_FIELDS = ['hour', 'weekday', 'failureCount', 'latency', 'successRate'] as const;

/** `failureCount`, `latency` and `successRate` are those of the proxy that was handed out last. */
const RULE_FIELDS = ['domain', 'url', ...TEXT_FIELDS, ...NUMBER_FIELDS] as const;
export type RuleField = (typeof RULE_FIELDS)[number];

const EQUALITY = ['equals', 'not-equals'] as const;
const PARTS = ['contains', 'starts-with', 'ends-with'] as const;
const MEMBERSHIP = ['in', 'not-in'] as const;
const ORDER = ['greater-than', 'less-than'] as const;

const RULE_OPERATORS = [...EQUALITY, ...PARTS, ...MEMBERSHIP, ...ORDER, 'between'] as const;
export type RuleOperator = (typeof RULE_OPERATORS)[number];

/** `in` and `not-in` take an array, `between` a pair (both ends included), the others one value. */
export interface RuleCondition {
  field: RuleField;
  operator: RuleOperator;
  value: string | number | readonly (string | number)[];
}

/** Takes the host of a URL or `host:port`, and leaves any other text alone: a part of a domain need not be a domain. */
const domainPart = text(1024).transform((value, context) => {
  const isWhole = /[/@?#]|\.[^:]*:\d*$/.test(value);
  const parsed = isWhole ? normalizeDomainPattern(value, { wildcards: false }) : { pattern: value };
  if ('pattern' in parsed && !/\s/.test(parsed.pattern)) return parsed.pattern;
  context.addIssue('must be a part of a domain, such as .example');
  return z.NEVER;
});

/** What a text may be compared with as a whole, and what it may begin with, end with or contain. */
interface Operands {
  whole: z.ZodType<string, string>;
  part: z.ZodType<string, string>;
}

const ANY_TEXT: Operands = { whole: text(1024), part: text(1024) };

/** Rules are stored and shown in clear. */
const urlText = text(1024).transform(withoutLogin);
const URL_TEXT: Operands = { whole: urlText, part: urlText };

function textCondition<F extends string>(field: z.ZodType<F, F>, { whole, part }: Operands) {
  return z.discriminatedUnion('operator', [
    z.strictObject({ field, operator: z.enum(EQUALITY), value: whole }),
    z.strictObject({ field, operator: z.enum(PARTS), value: part }),
    z.strictObject({ field, operator: z.enum(MEMBERSHIP), value: z.array(whole).min(1).max(1000) }),
  ]);
}

const numberField = z.enum(NUMBER_FIELDS);
const pair = z.tuple([z.number(), z.number()], { error: 'must be two numbers, the first and the last' });

/**
 * Conditions, in which a domain may be compared with `domain`. Which field and operator go with which value is checked here;
 * their type says only what any condition has, so that callers can build one from parts.
 */
function conditionsOf(domain: Operands): z.ZodType<RuleCondition[], RuleCondition[]> {
  const condition = z.discriminatedUnion('field', [
    textCondition(z.literal('domain'), domain),
    textCondition(z.literal('url'), URL_TEXT),
    textCondition(z.enum(TEXT_FIELDS), ANY_TEXT),
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
  return z.array(condition).min(1).max(100);
}

/** Conditions as they are stored: an older version stored domains as they were written. */
export const storedConditionsSchema = conditionsOf(ANY_TEXT);

const actionSchema = z.discriminatedUnion('type', [
  // Rules are stored and shown in clear.
  z.strictObject({
    type: z.literal('use-proxy'),
    proxyId: idSchema.refine((id) => !/:.*@/.test(id), 'must be the id of a proxy, without a login'),
  }),
  z.strictObject({ type: z.literal('use-region'), region: regionSchema }),
  z.strictObject({ type: z.literal('use-protocol'), protocol: protocolSchema }),
  z.strictObject({ type: z.literal('use-strategy'), strategy: strategySchema }),
  z.strictObject({ type: z.literal('block') }),
]);
export type RuleAction = z.output<typeof actionSchema>;

const ruleSchema = z.strictObject({
  name: text(256),
  priority: z.int().min(-1_000_000_000).max(1_000_000_000),
  conditions: conditionsOf({ whole: hostDomainSchema, part: domainPart }),
  conditionLogic: z.enum(['AND', 'OR']),
  actions: z.array(actionSchema).min(1).max(100),
  stopOnMatch: z.boolean(),
  enabled: z.boolean(),
  id: idSchema,
  createdAt: readOnly<string>(),
});
export const ruleFields = ruleSchema.shape;

type Valid = z.output<typeof ruleSchema>;
export type ConditionLogic = Valid['conditionLogic'];

/** When its conditions hold, its actions are taken. Higher `priority` is tried first. */
export interface RotationRule extends Valid {
  /** No rule of lower priority is looked at once this one has matched. */
  stopOnMatch: Valid['stopOnMatch'];
}

export const ruleInputSchema = ruleSchema.omit({ createdAt: true }).extend({
  priority: ruleFields.priority.default(0),
  conditionLogic: ruleFields.conditionLogic.default('AND'),
  stopOnMatch: ruleFields.stopOnMatch.default(true),
  enabled: ruleFields.enabled.default(true),
  id: idSchema.optional(),
});

/** A new rule. It joins its conditions by AND, stops on a match and is enabled unless it says otherwise. */
export interface RotationRuleInput extends z.input<typeof ruleInputSchema> {}

/** The fields that an update changes. */
export interface RotationRuleUpdate extends Changes<RotationRule, 'id' | 'createdAt'> {}

export const ruleUpdateSchema = updateOf(ruleSchema, ['createdAt']);
