import { Option } from 'commander';

import type { RotationRule, RotationRuleUpdate } from '../../../model/rules.ts';
import { notFound } from '../../../model/validation.ts';
import type { Vault } from '../../../vault.ts';
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

interface EditFlags extends CommonOptions, RuleFlags {
  all?: boolean;
  stop?: boolean;
}

export const rulesEdit = bareCommand({
  name: 'edit',
  purpose: 'change what is given of a rule: all of it, or nothing',
  example: `proxyvault rules edit ID --then use-country=DE --then exclude-tag=slow --priority 10`,
  notes: `--when replaces all conditions, and --then all actions. \`rules enable\` switches a rule on.
${RULE_NOTES}`,
  takes: (command) =>
    withRuleFlags(command.argument('<id>', 'the id of the rule, which `rules list` shows'))
      .addOption(new Option('--all', 'all conditions must hold, as in a new rule').conflicts('any'))
      .addOption(
        new Option('--stop', 'try no rule after it when it matches, as in a new rule').conflicts('continue'),
      ),
  act(options: EditFlags, command, id: string) {
    const { all, stop, when } = options;
    if (!hasFlags(options) && !all && !stop)
      command.error('error: say what to change, such as --priority 10 or --then use-country=DE');
    const changes = changesIn(options, command);
    if (options.caseSensitive && (when === undefined || isCaseUseless(options, changes.conditions)))
      command.error('error: --case-sensitive is for conditions of --when that have a text with a case');
    if (all) changes.conditionLogic = 'AND';
    if (stop) changes.stopOnMatch = true;
    return withVault(options, (vault) => {
      const rule = vault.database.transaction(() => edit(vault, id, changes));
      print(options.json, rule, () => text`Changed ${rule.name} (${rule.id}).`);
    });
  },
});

function edit({ rules, proxies }: Vault, id: string, changes: RotationRuleUpdate): RotationRule {
  const before = rules.findById(id);
  if (before === null) throw notFound('rotation rule', id);
  const { name = nameAfter(before, changes), actions } = changes;
  return rules.update(id, {
    ...changes,
    name,
    actions: actions === undefined ? undefined : withProxyIds(proxies, actions),
  });
}

/** A name that was only the conditions follows them. */
function nameAfter(before: RotationRule, changes: RotationRuleUpdate): string | undefined {
  if (before.name !== defaultRuleName(before)) return undefined;
  const { conditions = before.conditions, conditionLogic = before.conditionLogic } = changes;
  return defaultRuleName({ conditions, conditionLogic });
}
