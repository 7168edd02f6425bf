import { actionSchema } from '../../../model/rules/actions.ts';
import type { RuleAction } from '../../../model/rules.ts';
import { invalidInput, parse } from '../../../model/validation.ts';
import { readValue, written } from './values.ts';

/** Which member has the value of an action, and an example of one; null for an action without a value. */
const VALUES: Record<RuleAction['type'], readonly [member: string, example: string] | null> = {
  'use-proxy': ['proxyId', 'gate.example.com:1080'],
  'use-tag': ['tag', 'fast'],
  'use-country': ['country', 'DE'],
  'use-region': ['region', 'EU'],
  'use-protocol': ['protocol', 'socks5'],
  'use-strategy': ['strategy', 'random'],
  'exclude-proxy': ['proxyId', 'gate.example.com:1080'],
  'exclude-country': ['country', 'DE'],
  'exclude-tag': ['tag', 'slow'],
  rotate: null,
  keep: null,
  block: null,
};
const TYPES = Object.keys(VALUES) as RuleAction['type'][];

/**
 * Reads an action as a user writes it: `use-country=DE`, `block`. That of a proxy has what was typed, which may be no id.
 *
 * @throws INVALID_INPUT, which says what to write and repeats no value.
 */
export function parseAction(text: string): RuleAction {
  const [typed = ''] = text.split('=', 1);
  const type = TYPES.find((each) => each === typed.trim().toLowerCase());
  if (type === undefined) {
    const problem = /^[a-z-]{1,32}$/i.test(typed.trim())
      ? `There is no action "${typed.trim()}"; there`
      : 'There';
    throw invalidInput(`An action is such as use-country=DE or block. ${problem} are ${TYPES.join(', ')}.`);
  }
  const hasValue = text.length > typed.length;
  const takes = VALUES[type];
  if (takes === null) {
    if (hasValue) throw invalidInput(`The action ${type} takes no value: write ${type} alone.`);
    return { type } as RuleAction;
  }
  const [member, example] = takes;
  const given = text.slice(typed.length + 1);
  if (given.trim() === '') throw invalidInput(`The action ${type} needs a value: write ${type}=${example}.`);
  const action = { type, [member]: readValue(given, type) };
  // What names a proxy becomes an id before it is checked.
  return member === 'proxyId' ? (action as RuleAction) : parse(actionSchema, action, `action ${type}`);
}

/** An action as {@link parseAction} reads it. */
export function actionText(action: RuleAction): string {
  const member = VALUES[action.type]?.[0];
  if (member === undefined) return action.type;
  const value: unknown = Object(action)[member];
  return `${action.type}=${written(String(value))}`;
}
