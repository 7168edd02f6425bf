import { isIPv6 } from 'node:net';
import type { z } from 'zod';

import { type ErrorDetails, ProxyVaultError } from '../errors.ts';
import { issueText } from './issue-text.ts';

/** The error for a value that a caller may not give. */
export function invalidInput(message: string, details: ErrorDetails = {}): ProxyVaultError {
  return new ProxyVaultError('INVALID_INPUT', message, { details });
}

/**
 * The parsed value.
 *
 * @throws INVALID_INPUT, which names each wrong field and what is allowed, and never its value.
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value, { error: issueText });
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    [path.join('.'), message].filter(Boolean).join(': '),
  );
  throw invalidInput(`The ${what} is not valid: ${problems.join('; ')}.`);
}

/** @throws INVALID_INPUT unless `value` is a whole number in the range. */
export function assertWhole(
  value: number,
  name: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw invalidInput(`${name} must be a whole number from ${least} to ${most}.`);
  return value;
}

/** As many rows as are given at once. */
export const LARGEST_PAGE = 10_000;

/** @throws INVALID_INPUT unless `limit` is a number of rows that are given at once. */
export function assertPageSize(limit: number): number {
  return assertWhole(limit, 'limit', 1, LARGEST_PAGE);
}

/**
 * Options with no name but the known ones: a misspelt `readOnly` must not open a database for writing.
 *
 * @throws INVALID_INPUT for what is no plain object, or a name that is not known.
 */
export function assertOptions<T extends object>(
  options: T,
  known: readonly (keyof T & string)[],
  what: string,
): T {
  if (
    typeof options !== 'object' ||
    options === null ||
    Array.isArray(options) ||
    ArrayBuffer.isView(options)
  )
    throw invalidInput(`The ${what} must be an object with ${known.join(', ')}.`);
  const names: readonly string[] = known;
  for (const name in options) {
    if (names.includes(name) || !Object.hasOwn(options, name)) continue;
    throw invalidInput(`The ${what} have no ${JSON.stringify(name)}; there are ${known.join(', ')}.`);
  }
  return options;
}

/** The options that have these names, for one of several that share an object. */
export function pick<T extends object, K extends keyof T>(options: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(options, name) ? [[name, options[name]]] : [])),
  ) as Pick<T, K>;
}

/** @throws INVALID_INPUT unless `value` is an object, whose fields can be looked at. */
export function assertObject<T>(value: T, what: string): T {
  if (typeof value !== 'object' || value === null) throw invalidInput(`The ${what} must be an object.`);
  return value;
}

/** @throws INVALID_INPUT unless `value` can be gone through. */
export function assertIterable<T extends Iterable<unknown>>(value: T, what: string): T {
  const isIterable =
    typeof value === 'object' && value !== null && typeof value[Symbol.iterator] === 'function';
  if (!isIterable) throw invalidInput(`The ${what} must be an array or another iterable.`);
  return value;
}

/** @throws INVALID_INPUT unless `value` can be called. */
export function assertFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw invalidInput(`${name} must be a function.`);
}

/** @throws INVALID_INPUT unless `value` is an AbortSignal, of this realm or another one. */
export function assertSignal(value: AbortSignal, name = 'signal'): void {
  const { throwIfAborted, addEventListener } = assertObject(value, `option \`${name}\``);
  if (typeof throwIfAborted !== 'function' || typeof addEventListener !== 'function')
    throw invalidInput(`${name} must be the signal of an AbortController.`);
}

/** @throws INVALID_INPUT unless `value` is true or false: a text such as "false" would count as true. */
export function assertBoolean(value: boolean, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidInput(`${name} must be true or false.`);
  return value;
}

/** @throws INVALID_INPUT unless `value` is a string, as every id is. */
export function assertId(value: string, name = 'id'): string {
  if (typeof value !== 'string') throw invalidInput(`${name} must be a string.`);
  return value;
}

/** A text that is no plain id may be a proxy with its login, such as a URL that was given in place of an id: it is not repeated. */
export function notFound(what: string, id: string): ProxyVaultError {
  if (!/^[\w.*-]*$/.test(id) && !isIPv6(id))
    return new ProxyVaultError(
      'NOT_FOUND',
      `There is no ${what} with the id that was given. Give the whole id, and not an address or a URL.`,
    );
  return new ProxyVaultError('NOT_FOUND', `There is no ${what} ${JSON.stringify(id)}.`, { details: { id } });
}

/** The same error, saying which of many it was: counted from 1 in the message, from 0 in `details.index`. */
export function atIndex(error: unknown, index: number): unknown {
  if (!(error instanceof ProxyVaultError)) return error;
  return new ProxyVaultError(
    error.code,
    `Item ${index + 1} of the list: ${error.message} Nothing was stored.`,
    {
      cause: error,
      details: { ...error.details, index },
    },
  );
}
