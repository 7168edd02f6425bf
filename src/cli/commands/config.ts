import { Command } from 'commander';
import type { RotationConfig } from '../../database/index.ts';
import { RotationConfigRepository } from '../../database/repositories/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { details, print } from '../output.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

const NAMES: readonly (keyof RotationConfig)[] = [
  'strategy',
  'intervalMs',
  'maxRequestsPerProxy',
  'failureThreshold',
  'options',
];
const OPTIONS: readonly (keyof RotationConfig['options'])[] = [
  'stickyTtlMs',
  'stickyByDefault',
  'weights',
  'regions',
  'schedule',
  'custom',
];
/** What can be set: a name that is not here, such as `__proto__`, would be lost without a word. */
const SETTINGS: readonly string[] = [...NAMES, ...OPTIONS.map((name) => `options.${name}`)];

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
    ).action((settings: string[], options: VaultOptions, set: Command) => {
      const unknown = settings.map(nameOf).find((name) => !SETTINGS.includes(name));
      if (unknown !== undefined)
        set.error(`error: there is no setting ${JSON.stringify(unknown)}; there are ${SETTINGS.join(', ')}`);
      return withVault(options, ({ db }) =>
        show(options, new RotationConfigRepository(db).update(parseSettings(settings))),
      );
    }),
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
  print(options.json, config, () => details(Object.entries(config), 22));
}

function nameOf(setting: string): string {
  const split = setting.indexOf('=');
  if (split < 1)
    throw new ProxyVaultError('INVALID_INPUT', 'A setting is NAME=VALUE, such as strategy=random.');
  return setting.slice(0, split);
}

/** The repository checks the values. */
function parseSettings(settings: readonly string[]): Partial<RotationConfig> {
  const config: Record<string, unknown> = {};
  const strategyOptions: Record<string, unknown> = {};
  const names = settings.map(nameOf);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined || (names.includes('options') && names.some((name) => name.startsWith('options.'))))
    throw new ProxyVaultError(
      'INVALID_INPUT',
      `The setting ${JSON.stringify(twice ?? 'options')} is given twice: give each once. Nothing was changed.`,
    );
  for (const setting of settings) {
    const name = nameOf(setting);
    const value = parseValue(setting.slice(name.length + 1));
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
