import type { Command } from 'commander';

import type { RotationRule } from '../../model/rules.ts';
import { notFound } from '../../model/validation.ts';
import { rulesView } from '../../views/rules.ts';
import { commandGroup, poolCommand } from '../command.ts';
import { print, table } from '../output.ts';
import { text, writeError } from '../terminal.ts';
import { rulesAdd } from './rules/add.ts';
import { rulesEdit } from './rules/edit.ts';
import { thenText, whenText } from './rules/flags.ts';

export const rulesCommand = commandGroup('rules', 'rules that choose a proxy by what is asked for', [
  poolCommand({
    name: 'list',
    purpose: 'all rules, in the order they are tried',
    reads: true,
    example: 'proxyvault rules list',
    run(vault, { json }) {
      const view = rulesView(vault);
      print(json, view, () => table(['ID', 'PRIORITY', 'NAME', 'ON', 'WHEN', 'THEN'], view.rules.map(rowOf)));
      for (const { message } of json ? [] : view.invalid) writeError(text`Left out: ${message}\n`);
    },
  }),
  rulesAdd,
  rulesEdit,
  switchCommand('enable', true),
  switchCommand('disable', false),
  poolCommand({
    name: 'remove',
    purpose: 'remove a rule',
    example: 'proxyvault rules remove ID',
    takes: (command) => command.argument('<id>', 'the id of the rule, which `rules list` shows'),
    run({ rules }, { json }, id: string) {
      if (!rules.delete(id)) throw notFound('rotation rule', id);
      print(json, { removed: [id] }, () => text`Removed ${id}.`);
    },
  }),
]);

function switchCommand(name: string, enabled: boolean): () => Command {
  const state = enabled ? 'on' : 'off';
  return poolCommand({
    name,
    purpose: `switch a rule ${state}`,
    example: `proxyvault rules ${name} ID`,
    takes: (command) => command.argument('<id>', 'the id of the rule, which `rules list` shows'),
    run({ rules }, { json }, id: string) {
      rules.setEnabled(id, enabled);
      print(json, { id, enabled }, () => text`${id} is ${state}.`);
    },
  });
}

function rowOf(rule: RotationRule): (string | number)[] {
  return [rule.id, rule.priority, rule.name, rule.enabled ? 'yes' : 'no', whenText(rule), thenText(rule)];
}
