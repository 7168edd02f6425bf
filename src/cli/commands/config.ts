import { Command } from 'commander';
import type { RotationConfig } from '../../database/index.ts';
import { RotationConfigRepository } from '../../database/repositories/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { print } from '../output.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function configCommand(): Command {
  const command = new Command('config').description('how proxies are chosen');
  command.addCommand(
    withVaultOptions(new Command('show').description('the configuration'), 'proxyvault config show').action(
      (options: VaultOptions) =>
        withVault(options, ({ db }) => show(options, new RotationConfigRepository(db).get())),
    ),
  );
  command.addCommand(
    withVaultOptions(
      new Command('set')
        .description(
          'change it: strategy, intervalMs, maxRequestsPerProxy, failureThreshold, or options.NAME',
        )
        .argument('<setting...>', 'NAME=VALUE; a value is JSON or plain text, null empties'),
      'proxyvault config set strategy=least-used failureThreshold=3 options.stickyTtlMs=600000',
    ).action((settings: string[], options: VaultOptions) =>
      withVault(options, ({ db }) =>
        show(options, new RotationConfigRepository(db).update(parseSettings(settings))),
      ),
    ),
  );
  command.addCommand(
    withVaultOptions(
      new Command('reset').description('go back to the defaults, also from a malformed configuration'),
      'proxyvault config reset',
    ).action((options: VaultOptions) =>
      withVault(options, ({ db }) => {
        const config = new RotationConfigRepository(db);
        config.reset();
        show(options, config.get());
      }),
    ),
  );
  return command;
}

function show(options: VaultOptions, config: RotationConfig): void {
  print(options.json, config, () =>
    Object.entries(config)
      .map(
        ([name, value]) =>
          `${name.padEnd(22)}${value === null ? '-' : typeof value === 'object' ? JSON.stringify(value) : value}`,
      )
      .join('\n'),
  );
}

/** The repository checks names and values. */
function parseSettings(settings: readonly string[]): Partial<RotationConfig> {
  const config: Record<string, unknown> = {};
  const strategyOptions: Record<string, unknown> = {};
  for (const setting of settings) {
    const split = setting.indexOf('=');
    if (split < 1)
      throw new ProxyVaultError('INVALID_INPUT', 'A setting is NAME=VALUE, such as strategy=random.');
    const name = setting.slice(0, split);
    const value = parseValue(setting.slice(split + 1));
    if (name.startsWith('options.')) strategyOptions[name.slice('options.'.length)] = value;
    else config[name] = value;
  }
  return Object.keys(strategyOptions).length === 0 ? config : { ...config, options: strategyOptions };
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
