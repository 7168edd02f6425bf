import type { RotationConfigUpdate } from '../database/index.ts';
import { DURATION_FORMS, parseDuration } from '../model/duration.ts';
import { rotationConfigUpdateSchema } from '../model/rotation.ts';
import { GROUPED_OPTIONS, OPTION_GROUPS, strategyOptionsSchema } from '../model/strategy-options.ts';
import { invalidInput } from '../model/validation.ts';

const { updatedAt: _, ...fields } = rotationConfigUpdateSchema.shape;
const OPTION = 'options.';
/** What can be set: a name that is not here, such as `__proto__`, would be lost without a word. */
const SETTINGS: readonly string[] = [
  ...Object.keys(fields),
  ...Object.keys(strategyOptionsSchema.shape).map((name) => OPTION + name),
  ...OPTION_GROUPS.flatMap((group) => GROUPED_OPTIONS[group].map((name) => `${OPTION}${group}.${name}`)),
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
  // The setting of an option is in that of its group, and that is in all options.
  for (const name of names) {
    const within = names.find((each) => each.startsWith(`${name}.`));
    if (within !== undefined)
      return `${name} and ${within} are both given, and both set ${name}: write ${within} into the JSON of ${name}, or leave ${name} out`;
  }
  return null;
}

/** The update that the settings ask for. The repository checks the values. */
export function parseSettings(settings: readonly string[]): RotationConfigUpdate {
  const config: Record<string, unknown> = {};
  for (const setting of settings) {
    const name = nameOf(setting);
    const value = settingValue(name, setting.slice(name.length + 1));
    // An option that is not set is absent, where a field is null.
    put(config, name.split('.'), name.startsWith(OPTION) ? (value ?? undefined) : value);
  }
  return config;
}

/** Sets what is at the end of a path of names, all of which are known. */
function put(object: Record<string, unknown>, [name = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) object[name] = value;
  else {
    object[name] ??= {};
    put(object[name] as Record<string, unknown>, rest, value);
  }
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
