import { isDate, isUint8Array } from 'node:util/types';

import { invalidInput } from '../model/validation.ts';
import {
  type Driver,
  type ExecuteResult,
  type Mode,
  type Result,
  type Row,
  type SqlValue,
  step,
} from './drivers/driver.ts';
import { type CallerStatement, positionName, readCallerStatement } from './drivers/placeholders.ts';
import { isTime, toStored } from './timestamps.ts';

/**
 * What a parameter of an application's own SQL may be: `true` and `false` are stored as 1 and 0, a Date as UTC text
 * (`YYYY-MM-DD HH:MM:SS.SSS`, as the library's own times), a bigint and a whole number up to 2^53 - 1 as an integer of 64 bits.
 */
export type SqlParameter = SqlValue | boolean | Date;

/** An array for `?`, an object for `:name`, `@name` or `$name`. */
export type SqlParameters = readonly SqlParameter[] | { readonly [name: string]: SqlParameter };

/** Runs an application's query. @throws INVALID_INPUT before anything is run; the errors of the engine. */
export function query<M extends Mode>(
  driver: Driver<M>,
  sql: string,
  params: SqlParameters,
): Result<M, Row[]> {
  return driver.sequence(function* () {
    const statement = readCallerStatement(sql);
    return yield* step<M, Row[]>(driver.rows(statement.sql, valuesOf(statement, params)));
  });
}

/** Runs an application's statement. @throws as {@link query}. */
export function execute<M extends Mode>(
  driver: Driver<M>,
  sql: string,
  params: SqlParameters,
): Result<M, ExecuteResult> {
  return driver.sequence(function* () {
    const statement = readCallerStatement(sql);
    return yield* step<M, ExecuteResult>(driver.change(statement.sql, valuesOf(statement, params)));
  });
}

/** The values by name, each looked at once. */
function valuesOf(statement: CallerStatement, params: unknown): Record<string, SqlValue> {
  if (Array.isArray(params)) return byPosition(statement, params);
  if (isPlain(params)) return byName(statement, params);
  throw invalidInput('The parameters must be an array for ?, or an object for :name.');
}

function byPosition(
  { positions, names }: CallerStatement,
  params: readonly unknown[],
): Record<string, SqlValue> {
  if (positions === null)
    throw invalidInput(`The statement names its parameters: give an object with ${[...names].join(', ')}.`);
  if (params.length !== positions)
    throw invalidInput(`The statement takes ${positions} parameters, and ${params.length} were given.`);
  const values: Record<string, SqlValue> = Object.create(null);
  // Not map(), which leaves out the holes of an array.
  for (let i = 0; i < positions; i++) values[positionName(i + 1)] = toStoredValue(params[i], String(i + 1));
  return values;
}

function byName(
  { positions, names }: CallerStatement,
  params: Readonly<Record<string, unknown>>,
): Record<string, SqlValue> {
  const given = Object.keys(params);
  if (positions !== null && positions > 0)
    throw invalidInput(`The statement has ${positions} parameters by position: give an array.`);
  const unknown = given.find((name) => !names.has(name));
  if (unknown !== undefined) {
    const known = names.size === 0 ? 'it has none' : `it has ${[...names].join(', ')}`;
    throw invalidInput(
      `The statement has no parameter ${JSON.stringify(unknown)}; ${known}. Names are given without : @ or $.`,
      { parameter: unknown },
    );
  }
  const values: Record<string, SqlValue> = Object.create(null);
  for (const name of names) {
    if (!Object.hasOwn(params, name))
      throw invalidInput(`The parameter ${name} is missing.`, { parameter: name });
    values[name] = toStoredValue(params[name], name);
  }
  return values;
}

/** Whether it is an object literal, also of another realm; a Map or an instance of a class would lose what it holds. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function toStoredValue(value: unknown, name: string): SqlValue {
  switch (typeof value) {
    case 'string':
      // SQLite would store another character in its place.
      return value.isWellFormed() ? value : refuse(name, 'has half a surrogate pair');
    case 'boolean':
      return value ? 1n : 0n;
    case 'number':
      if (!Number.isFinite(value)) return refuse(name, 'is not a finite number');
      // As a literal in SQL: 5 in a text column is '5', and not '5.0'.
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case 'bigint':
      return BigInt.asIntN(64, value) === value ? value : refuse(name, 'does not fit into 64 bits');
    case 'undefined':
      return refuse(name, 'is undefined: give null for NULL');
    default:
  }
  if (value === null || isUint8Array(value)) return value as SqlValue;
  if (!isDate(value)) return refuse(name, `is of the type ${typeof value}`);
  const time = value.getTime();
  return isTime(time) ? toStored(time) : refuse(name, 'is an invalid Date, or not in the years 0 to 9999');
}

function refuse(name: string, problem: string): never {
  throw invalidInput(
    `The parameter ${name} ${problem}. It must be a string, a finite number, a bigint, a boolean, a Date, a Uint8Array or null.`,
    { parameter: name },
  );
}
