import type { Login } from '../../model/login.ts';
import { assertObject, invalidInput } from '../../model/validation.ts';

/** What is filled in where a login is a template, such as `user-country-{country}-session-{session}`. */
export interface TemplateValues {
  session?: string | undefined;
  country?: string | undefined;
  /** In the unit that the provider counts in, mostly minutes. */
  ttl?: string | number | undefined;
}

type Credentials = Pick<Login, 'username' | 'password'>;

const PLACEHOLDER = /\{(session|country|ttl)\}/g;

/**
 * The placeholders of a login, each once: `session`, `country`, `ttl`. Any other text in braces is text.
 *
 * @example
 * placeholdersOf({ username: 'me-{country}-{session}', password: 's3cret' }); // ['country', 'session']
 */
export function placeholdersOf({ username, password }: Credentials): (keyof TemplateValues)[] {
  if (!username.includes('{') && !password.includes('{')) return [];
  const found = [...`${username}\n${password}`.matchAll(PLACEHOLDER)].map(
    ([, name]) => name as keyof TemplateValues,
  );
  return [...new Set(found)];
}

/**
 * A login with its placeholders filled in; one without placeholders stays as it is.
 *
 * @throws INVALID_INPUT, with the name of a placeholder that has no value.
 * @example
 * const login = { username: 'me-{session}', password: 's3cret' };
 * fillTemplate(login, { session: 'cart-17' }); // { username: 'me-cart-17', password: 's3cret' }
 */
export function fillTemplate(login: Credentials, values: TemplateValues): Credentials {
  assertObject(values, 'template');
  const fill = (text: string): string =>
    text.replace(PLACEHOLDER, (_, name: keyof TemplateValues) => requireValue(name, values[name]));
  return { username: fill(login.username), password: fill(login.password) };
}

function requireValue(name: string, value: string | number | undefined): string {
  if (value !== undefined && value !== '') return String(value);
  throw invalidInput(`The login is a template with {${name}}: give a ${name}.`);
}
