import type { RotationConfig } from '../../database/index.ts';
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
    purpose: 'change it: strategy, intervalMs, maxRequestsPerProxy, failureThreshold, or options.NAME',
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
  print(options.json, config, () => details(rowsOf(config), 27));
}

/** Each option in a row of its own, by the name under which it is set. */
function rowsOf(config: RotationConfig): [name: string, value: unknown][] {
  return Object.entries(config).flatMap(([name, value]): [string, unknown][] =>
    name === 'options'
      ? Object.entries(config.options).map(([option, each]) => [`options.${option}`, each])
      : [[name, value]],
  );
}
