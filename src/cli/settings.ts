import type { RotationConfigUpdate } from '../database/index.ts';
import { rotationConfigUpdateSchema } from '../model/rotation.ts';
import { strategyOptionsSchema } from '../model/strategy-options.ts';
import { invalidInput } from '../model/validation.ts';
import { DURATION_FORMS, parseDuration } from './duration.ts';

const { updatedAt: _, ...fields } = rotationConfigUpdateSchema.shape;
const OPTION = 'options.';
/** What can be set: a name that is not here, such as `__proto__`, would be lost without a word. */
const SETTINGS: readonly string[] = [
  ...Object.keys(fields),
  ...Object.keys(strategyOptionsSchema.shape).map((name) => OPTION + name),
];
/** What may be given as texts with commas between them, such as `DE,FR`. */
const LISTS: readonly string[] = ['options.regions', 'options.excludedCountries'];

/** Why these settings cannot be set, whatever their values; null if they can. */
export function settingsProblem(settings: readonly string[]): string | null {
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

/** The update that the settings ask for. The repository checks the values. */
export function parseSettings(settings: readonly string[]): RotationConfigUpdate {
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

function nameOf(setting: string): string {
  const [name = ''] = setting.split('=', 1);
  return name;
}

function settingValue(name: string, text: string): unknown {
  if (LISTS.includes(name) && text !== 'null' && !text.trimStart().startsWith('['))
    return text.split(',').map((item) => item.trim());
  const value = parseValue(name, text);
  if (typeof value !== 'string' || !name.endsWith('Ms')) return value;
  const time = parseDuration(value);
  if (time !== null) return time;
  throw invalidInput(`${name} must be ${DURATION_FORMS}, or a whole number of milliseconds.`);
}

function parseValue(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (!/^\s*[[{]/.test(text)) return text;
    throw invalidInput(
      `The value of ${name} begins as JSON and is not valid JSON: quote it for the shell, and its names and texts with ".`,
    );
  }
}
