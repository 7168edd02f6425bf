import type { RotationConfig } from '../../database/index.ts';
import { OPTION_GROUPS } from '../../model/strategy-options.ts';
import { bareCommand, commandGroup, poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { withVault } from '../open-vault.ts';
import { details, print } from '../output.ts';
import { parseSettings, settingsProblem } from '../settings.ts';

export const configCommand = commandGroup('config', 'how proxies are chosen', [
  poolCommand({
    name: 'show',
    purpose: 'the configuration',
    example: 'proxyvault config show',
    reads: true,
    run: ({ config }, options) => show(options, config.get()),
  }),
  bareCommand({
    name: 'set',
    purpose:
      'change it: strategy, intervalMs, maxRequestsPerProxy, failureThreshold, options.NAME, or options.GROUP.NAME',
    example: 'proxyvault config set strategy=least-used failureThreshold=3 options.stickyTtlMs=10m',
    takes: (command) =>
      command.argument(
        '<setting...>',
        'NAME=VALUE; a value is JSON, plain text, a time such as 10m, or a list such as DE,FR; null empties',
      ),
    act(options, command, settings: string[]) {
      const problem = settingsProblem(settings);
      if (problem !== null) command.error(`error: ${problem}`);
      return withVault(options, ({ config }) => show(options, config.update(parseSettings(settings))));
    },
  }),
  poolCommand({
    name: 'reset',
    purpose: 'go back to the defaults, also from a malformed configuration',
    example: 'proxyvault config reset',
    run({ config }, options) {
      config.reset();
      show(options, config.get());
    },
  }),
]);

function show(options: CommonOptions, config: RotationConfig): void {
  const rows = rowsOf(config);
  // As wide as the longest name, and never narrower than the fields need.
  const width = Math.max(27, ...rows.map(([name]) => name.length + 2));
  print(options.json, config, () => details(rows, width));
}

/** Each option in a row of its own, by the name under which it is set. */
function rowsOf(config: RotationConfig): (readonly [name: string, value: unknown])[] {
  return Object.entries(config).flatMap(([name, value]) =>
    name === 'options' ? optionRows(config.options) : [[name, value] as const],
  );
}

function optionRows(options: RotationConfig['options']): [name: string, value: unknown][] {
  const isGroup = (name: string): boolean => OPTION_GROUPS.some((group) => group === name);
  return Object.entries(options).flatMap(([option, value]): [string, unknown][] =>
    isGroup(option)
      ? Object.entries(value as object).map(([name, each]) => [`options.${option}.${name}`, each])
      : [[`options.${option}`, value]],
  );
}
