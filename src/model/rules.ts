import { z } from 'zod';

import { type Changes, idSchema, readOnly, text, updateOf } from './field-schemas.ts';
import { actionSchema } from './rules/actions.ts';
import { conditionsSchema } from './rules/conditions.ts';

export type { RuleAction } from './rules/actions.ts';
export type { RuleCondition, RuleField, RuleOperator } from './rules/conditions.ts';

const ruleSchema = z.strictObject({
  name: text(256),
  priority: z.int().min(-1_000_000_000).max(1_000_000_000),
  conditions: conditionsSchema,
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
