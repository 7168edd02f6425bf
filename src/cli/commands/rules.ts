import { Command } from 'commander';

import { type RotationRuleInput, RotationRulesRepository } from '../../database/repositories/index.ts';
import type { ProxyVaultError } from '../../errors.ts';
import { invalidInput, notFound } from '../../model/validation.ts';
import { print, table } from '../output.ts';
import { text, writeError } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function rulesCommand(): Command {
  const command = new Command('rules').description('rules that choose a proxy by what is asked for');
  command.addCommand(
    withVaultOptions(
      new Command('list').description('all rules, in the order they are tried'),
      'proxyvault rules list',
    ).action((options: VaultOptions) =>
      withVault(options, ({ db }) => {
        const invalid: ProxyVaultError[] = [];
        const rules = new RotationRulesRepository(db).findAll({ onInvalid: (error) => invalid.push(error) });
        print(
          options.json,
          { rules, invalid: invalid.map(({ message, details }) => ({ message, ...details })) },
          () =>
            table(
              ['ID', 'PRIORITY', 'NAME', 'ON', 'WHEN', 'THEN'],
              rules.map((rule) => [
                rule.id,
                rule.priority,
                rule.name,
                rule.enabled ? 'yes' : 'no',
                rule.conditions
                  .map(({ field, operator, value }) => `${field} ${operator} ${String(value)}`)
                  .join(` ${rule.conditionLogic} `),
                rule.actions.map((action) => Object.values(action).join(' ')).join(', '),
              ]),
            ),
        );
        for (const error of options.json ? [] : invalid) writeError(text`Left out: ${error.message}\n`);
      }),
    ),
  );
  command.addCommand(
    withVaultOptions(
      new Command('add').description('add a rule, given as JSON').argument('<json>'),
      `proxyvault rules add '{"name":"shops by day","conditions":[{"field":"domain","operator":"ends-with","value":".shop"}],"actions":[{"type":"use-region","region":"DE"}]}'`,
    ).action((json: string, options: VaultOptions) =>
      withVault(options, ({ db }) => {
        const rule = new RotationRulesRepository(db).create(parseRule(json));
        print(options.json, rule, () => text`Added ${rule.name} as ${rule.id}.`);
      }),
    ),
  );
  for (const [name, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    command.addCommand(
      withVaultOptions(
        new Command(name).description(`switch a rule ${enabled ? 'on' : 'off'}`).argument('<id>'),
        `proxyvault rules ${name} ID`,
      ).action((id: string, options: VaultOptions) =>
        withVault(options, ({ db }) => {
          new RotationRulesRepository(db).setEnabled(id, enabled);
          print(options.json, { id, enabled }, () => text`${id} is ${enabled ? 'on' : 'off'}.`);
        }),
      ),
    );
  }
  command.addCommand(
    withVaultOptions(
      new Command('remove').description('remove a rule').argument('<id>'),
      'proxyvault rules remove ID',
    ).action((id: string, options: VaultOptions) =>
      withVault(options, ({ db }) => {
        if (!new RotationRulesRepository(db).delete(id)) throw notFound('rotation rule', id);
        print(options.json, { removed: id }, () => text`Removed ${id}.`);
      }),
    ),
  );
  return command;
}

/** The repository checks what it holds. */
function parseRule(json: string): RotationRuleInput {
  try {
    return JSON.parse(json) as RotationRuleInput;
  } catch {
    throw invalidInput('The rule is not JSON: see `proxyvault rules add --help` for an example.');
  }
}
