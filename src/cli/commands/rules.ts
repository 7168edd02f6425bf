import type { Command } from 'commander';

import type { RotationRuleInput } from '../../database/repositories/index.ts';
import type { RotationRule } from '../../model/rules.ts';
import { invalidInput, notFound } from '../../model/validation.ts';
import type { Vault } from '../../vault.ts';
import { rulesView } from '../../views/rules.ts';
import { commandGroup, poolCommand } from '../command.ts';
import { print, table } from '../output.ts';
import { text, writeError } from '../terminal.ts';

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
  poolCommand({
    name: 'add',
    purpose: 'add a rule, given as JSON',
    example: `proxyvault rules add '{"name":"shops by day","conditions":[{"field":"domain","operator":"ends-with","value":".shop"}],"actions":[{"type":"use-region","region":"DE"}]}'`,
    takes: (command) => command.argument('<json>', 'the rule, as docs/cli.md describes it'),
    notes: `The action use-proxy names a proxy as every command does: {"type":"use-proxy","proxyId":"gate.example.com:1080"}`,
    run({ rules, proxies, database }, options, json: string) {
      const parsed = parseRule(json);
      const rule = database.transaction(() => rules.create(withProxyIds(proxies, parsed)));
      print(options.json, rule, () => text`Added ${rule.name} as ${rule.id}.`);
    },
  }),
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
  const conditions = rule.conditions.map(
    ({ field, operator, value }) => `${field} ${operator} ${String(value)}`,
  );
  const actions = rule.actions.map((action) => Object.values(action).join(' '));
  return [
    rule.id,
    rule.priority,
    rule.name,
    rule.enabled ? 'yes' : 'no',
    conditions.join(` ${rule.conditionLogic} `),
    actions.join(', '),
  ];
}

/** The repository checks what it holds. */
function parseRule(json: string): RotationRuleInput {
  try {
    return JSON.parse(json) as RotationRuleInput;
  } catch {
    throw invalidInput('The rule is not JSON: see `proxyvault rules add --help` for an example.');
  }
}

/** The same rule, whose actions have the ids of the proxies that they name. */
function withProxyIds(proxies: Vault['proxies'], rule: RotationRuleInput): RotationRuleInput {
  // The repository rejects what has another form.
  if (!Array.isArray((rule as { actions?: unknown } | null)?.actions)) return rule;
  const actions = rule.actions.map((action) =>
    action?.type === 'use-proxy' && typeof action.proxyId === 'string'
      ? { ...action, proxyId: proxies.resolve(action.proxyId).id }
      : action,
  );
  return { ...rule, actions };
}
