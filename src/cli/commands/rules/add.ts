import type { Command } from 'commander';

import type { RotationRuleInput } from '../../../database/repositories/index.ts';
import { bareCommand } from '../../command.ts';
import type { CommonOptions } from '../../common-options.ts';
import { withVault } from '../../open-vault.ts';
import { print } from '../../output.ts';
import { text } from '../../terminal.ts';
import {
  changesIn,
  defaultRuleName,
  hasFlags,
  isCaseUseless,
  RULE_NOTES,
  type RuleFlags,
  withRuleFlags,
} from './flags.ts';
import { withProxyIds } from './proxy-ids.ts';

export const rulesAdd = bareCommand({
  name: 'add',
  purpose: 'add a rule, given by options or as JSON',
  example: `proxyvault rules add --when 'domain ends-with .shop.example' --when 'hour between 9,17' --then use-country=DE`,
  notes: `${RULE_NOTES}
The actions use-proxy and exclude-proxy name a proxy as every command does: --then use-proxy=gate.example.com:1080, or in JSON
{"type":"use-proxy","proxyId":"gate.example.com:1080"}.`,
  takes: (command) =>
    withRuleFlags(
      command.argument('[json]', 'the rule as JSON, as docs/cli.md describes it, in place of the options'),
    ),
  act(options: CommonOptions & RuleFlags, command, json?: string) {
    const rule = json === undefined ? ruleOf(options, command) : parseRule(options, command, json);
    return withVault(options, ({ rules, proxies, database }) => {
      const added = database.transaction(() =>
        rules.create(
          Array.isArray(Object(rule).actions)
            ? { ...rule, actions: withProxyIds(proxies, rule.actions) }
            : rule,
        ),
      );
      print(options.json, added, () => text`Added ${added.name} as ${added.id}.`);
    });
  },
});

function ruleOf(flags: RuleFlags, command: Command): RotationRuleInput {
  if (!hasFlags(flags))
    command.error(
      "error: say what the rule is, such as --when 'domain ends-with .shop.example' --then use-country=DE",
    );
  const { conditions, actions, ...others } = changesIn(flags, command);
  if (conditions === undefined)
    command.error("error: say when the rule holds, such as --when 'domain ends-with .shop.example'");
  if (actions === undefined) command.error('error: say what the rule does, such as --then use-country=DE');
  if (isCaseUseless(flags, conditions))
    command.error('error: no condition of --when has a text with a case: leave out --case-sensitive');
  const { name = defaultRuleName({ ...others, conditions }) } = others;
  return { ...others, name, conditions, actions };
}

/** The repository checks what it holds. */
function parseRule(flags: RuleFlags, command: Command, json: string): RotationRuleInput {
  if (hasFlags(flags)) command.error('error: give the rule by options or as JSON, and not by both');
  try {
    return JSON.parse(json) as RotationRuleInput;
  } catch {
    command.error(
      'error: the rule is not JSON: `proxyvault rules add --help` has an example of the options in its place',
    );
  }
}
