import type { RotationConfig, RotationConfigUpdate } from '../../database/index.ts';
import { rotationConfigUpdateSchema } from '../../model/rotation.ts';
import { strategyOptionsSchema } from '../../model/strategy-options.ts';
import { invalidInput } from '../../model/validation.ts';
import { bareCommand, commandGroup, poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { DURATION_FORMS, parseDuration } from '../duration.ts';
import { withVault } from '../open-vault.ts';
import { details, print } from '../output.ts';

const { updatedAt: _, ...fields } = rotationConfigUpdateSchema.shape;
/** What can be set: a name that is not here, such as `__proto__`, would be lost without a word. */
const SETTINGS: readonly string[] = [
  ...Object.keys(fields),
  ...Object.keys(strategyOptionsSchema.shape).map((name) => `options.${name}`),
];
const OPTION = 'options.';
/** What is stored in milliseconds, and may be given with a unit. */
const TIMES: readonly string[] = ['intervalMs', 'options.stickyTtlMs'];

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
        'NAME=VALUE; a value is JSON or plain text, and a time such as 10m; null empties',
      ),
    act(options, command, settings: string[]) {
      const problem = problemOf(settings);
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
  print(options.json, config, () => details(Object.entries(config), 22));
}

/** Why these settings cannot be set, whatever their values; null if they can. */
function problemOf(settings: readonly string[]): string | null {
  const names = settings.map(nameOf);
  const unknown = names.find((name) => !SETTINGS.includes(name));
  if (unknown !== undefined)
    return `there is no setting ${JSON.stringify(unknown)}; there are ${SETTINGS.join(', ')}`;
  const malformed = settings.find((setting) => !setting.includes('='));
  if (malformed !== undefined)
    return `the setting ${JSON.stringify(malformed)} has no value: write NAME=VALUE, such as strategy=random`;
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `the setting ${JSON.stringify(twice)} is given twice: give it once`;
  const option = names.find((name) => name.startsWith(OPTION));
  if (option !== undefined && names.includes('options'))
    return `options and ${option} are both given, and both set options: write ${option} into the JSON of options, or leave options out`;
  return null;
}

function nameOf(setting: string): string {
  const [name = ''] = setting.split('=', 1);
  return name;
}

/** The repository checks the values. */
function parseSettings(settings: readonly string[]): RotationConfigUpdate {
  const config: Record<string, unknown> = {};
  const options: Record<string, unknown> = {};
  for (const setting of settings) {
    const name = nameOf(setting);
    const value = settingValue(name, setting.slice(name.length + 1));
    // An option that is not set is absent, where a field is null.
    if (name.startsWith(OPTION)) options[name.slice(OPTION.length)] = value ?? undefined;
    else config[name] = value;
  }
  return Object.keys(options).length === 0 ? config : { ...config, options };
}

function settingValue(name: string, text: string): unknown {
  const value = parseValue(text);
  if (typeof value !== 'string' || !TIMES.includes(name)) return value;
  const time = parseDuration(value);
  if (time !== null) return time;
  throw invalidInput(`${name} must be ${DURATION_FORMS}, or a whole number of milliseconds.`);
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
