import { type Command, InvalidArgumentError } from 'commander';

import { ProxyVaultError } from '../../../errors.ts';
import type { ConditionLogic, RotationRuleUpdate, RuleAction, RuleCondition } from '../../../model/rules.ts';
import { repeated } from '../../arguments.ts';
import { actionText, parseAction } from './action-text.ts';
import { conditionText, hasCase, parseCondition } from './condition-text.ts';

/** The options that say what a rule is. */
export interface RuleFlags {
  name?: string;
  when?: string[];
  any?: boolean;
  then?: string[];
  priority?: number;
  continue?: boolean;
  disabled?: boolean;
  caseSensitive?: boolean;
}

interface Conditions {
  conditions: readonly RuleCondition[];
  conditionLogic?: ConditionLogic | undefined;
}

const NAMES = ['name', 'when', 'any', 'then', 'priority', 'continue', 'disabled', 'caseSensitive'] as const;
const MAX_NAME = 256;

/** What --help says after the example. */
export const RULE_NOTES = `A condition is FIELD OPERATOR VALUE; \`in\`, \`not-in\` and \`between\` take values with commas between them, and a value may be in
quotes: 'hour between 9,17', 'weekday in sat,sun', 'path matches ^/item/\\d+$'. docs/cli.md describes the fields, operators and actions.`;

export function withRuleFlags(command: Command): Command {
  return command
    .option(
      '--when <condition>',
      "a condition, such as 'domain ends-with .shop.example'; may be repeated",
      repeated,
    )
    .option('--any', 'one of the conditions is enough; without it all must hold')
    .option('--then <action>', 'an action, such as use-country=DE or block; may be repeated', repeated)
    .option('--name <name>', 'what to call it')
    .option('--priority <number>', 'higher ones are tried first; a new rule has 0', wholeOrNegative)
    .option('--continue', 'try the rules after it too, when it matches')
    .option('--disabled', 'keep it switched off')
    .option('--case-sensitive', 'compare the texts of --when in their case; domains have none');
}

/** Whether an option is given that says something of the rule. */
export function hasFlags(flags: RuleFlags): boolean {
  return NAMES.some((name) => flags[name] !== undefined);
}

/** What the options say, and nothing of what they do not say. A condition or action that cannot be read is wrong use. */
export function changesIn(flags: RuleFlags, command: Command): RotationRuleUpdate {
  const { name, when, any, then, priority, caseSensitive = false } = flags;
  const condition = (text: string): RuleCondition => parseCondition(text, { caseSensitive });
  return {
    name,
    priority,
    conditions: when?.map((text) => read(text, condition, command)),
    conditionLogic: any === true ? 'OR' : undefined,
    actions: then?.map((text) => read(text, parseAction, command)),
    stopOnMatch: flags.continue === true ? false : undefined,
    enabled: flags.disabled === true ? false : undefined,
  };
}

function read<T>(text: string, parsed: (text: string) => T, command: Command): T {
  try {
    return parsed(text);
  } catch (error) {
    if (error instanceof ProxyVaultError && error.code === 'INVALID_INPUT')
      command.error(`error: ${error.message}`);
    throw error;
  }
}

/** Whether `--case-sensitive` is given and no condition of `--when` has a text with a case. */
export function isCaseUseless(
  { caseSensitive = false }: RuleFlags,
  conditions: readonly RuleCondition[] = [],
): boolean {
  return caseSensitive && !conditions.some(({ field }) => hasCase(field));
}

/** The name of a rule that was given none: its conditions. */
export function defaultRuleName(rule: Conditions): string {
  return whenText(rule).slice(0, MAX_NAME).toWellFormed();
}

/** All conditions of a rule, each as `--when` reads it. */
export function whenText({ conditions, conditionLogic = 'AND' }: Conditions): string {
  return conditions.map(conditionText).join(` ${conditionLogic} `);
}

/** All actions of a rule, each as `--then` reads it. */
export function thenText({ actions }: { actions: readonly RuleAction[] }): string {
  return actions.map(actionText).join(', ');
}

function wholeOrNegative(text: string): number {
  if (!/^-?\d{1,10}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
