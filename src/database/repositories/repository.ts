import { assertIterable, invalidInput, notFound } from '../../model/validation.ts';
import type { Clock, Driver, Mode, Result, Session, SqlValue, Steps } from '../drivers/driver.ts';
import { toStored } from '../timestamps.ts';

/** In async mode the methods of a repository reject, and never throw before there is a promise: `rejectInsteadOfThrowing`. */
export abstract class Repository<M extends Mode> {
  protected readonly db: Driver<M>;
  protected readonly clock: Clock;
  protected readonly session: Session<M>;

  constructor(session: Session<M>) {
    this.session = session;
    this.db = session.driver;
    this.clock = session.clock;
    if (this.db.mode !== 'sync') rejectInsteadOfThrowing(this);
  }

  /** The time in the form in which it is stored. */
  protected now(): string {
    return toStored(this.clock());
  }

  /**
   * A list for the steps of a transaction that may be played again: then a generator would be empty, and the second play would
   * store nothing and report success.
   *
   * @throws INVALID_INPUT in a caller's transaction in async mode, unless it is an array, a set or a map.
   */
  protected repeatable<T>(values: Iterable<T>): Iterable<T> {
    const isRepeatable = Array.isArray(values) || values instanceof Set || values instanceof Map;
    if (this.db.mode === 'sync' || isRepeatable) return values;
    // Only this call is played again, and reads the copy.
    if (this.db.scope === null) return [...values];
    throw invalidInput(
      'The list may be read once only, and this transaction may be repeated. Give an array. Nothing was stored.',
    );
  }

  /** Runs a statement for each value in one transaction, all or none; gives how many there were. */
  protected forEach<T>(
    values: Iterable<T>,
    what: string,
    run: (value: T) => Result<M, unknown>,
  ): Result<M, number> {
    const list = this.repeatable(assertIterable(values, what));
    return this.db.transaction(() => runEach(list, run));
  }
}

function* runEach<M extends Mode, T>(
  values: Iterable<T>,
  run: (value: T) => Result<M, unknown>,
): Steps<M, number> {
  let count = 0;
  for (const value of values) {
    yield run(value);
    count++;
  }
  return count;
}

/** For a statement that must change a row. @throws NOT_FOUND if it changes none. */
export function orNotFound(what: string, id: string): (changed: number) => void {
  return (changed) => {
    if (changed === 0) throw notFound(what, id);
  };
}

/** The values of columns that an update may leave out. Booleans are stored as 0 and 1, objects as JSON. */
type Changes = Readonly<Record<string, SqlValue | boolean | object | undefined>>;

/** The names of the flags: to make them for each update takes longer than the rest. */
const FLAGS: Record<string, string> = {};

/**
 * The parameters of an update of the columns that are given: `:column` is NULL for one that is undefined.
 *
 * @param nullable the columns that may be set to NULL: `:set_column` says whether one of them is given.
 */
export function changesOf(columns: Changes, nullable: Changes = {}): Record<string, SqlValue> {
  // A copy, and not an object that is filled name by name, which would be slow to read.
  const params: Record<string, Changes[string]> = { ...columns, ...nullable };
  for (const column in params) params[column] = toParam(params[column]);
  for (const column in nullable) {
    FLAGS[column] ??= `set_${column}`;
    params[FLAGS[column]] = nullable[column] === undefined ? 0 : 1;
  }
  return params as Record<string, SqlValue>;
}

function toParam(value: Changes[string]): SqlValue {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return value ?? null;
}

const GeneratorFunction = Object.getPrototypeOf(function* () {}).constructor as new () => object;

/**
 * Replaces the methods of one repository by ones that reject where they would throw: input is checked before there is a
 * promise. A method `iterate…` gives a stream whose first `next()` rejects. Generators are steps of a transaction, in which
 * an error may be thrown; a function in a field, which answers at once in both modes, is no method and stays as it is.
 */
function rejectInsteadOfThrowing(repository: object): void {
  let type: object = Object.getPrototypeOf(repository);
  for (; type !== Repository.prototype; type = Object.getPrototypeOf(type)) {
    for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      const isMethod = typeof method === 'function' && !(method instanceof GeneratorFunction);
      // A subclass's own method comes first.
      if (name === 'constructor' || !isMethod || Object.hasOwn(repository, name)) continue;
      const value = (...args: unknown[]): unknown => {
        try {
          return method.apply(repository, args);
        } catch (error) {
          return name.startsWith('iterate') ? failedStream(error) : Promise.reject(error);
        }
      };
      Object.defineProperty(repository, name, { value, writable: true, configurable: true });
    }
  }
}

function failedStream(error: unknown): AsyncIterableIterator<never> {
  const stream = { next: () => Promise.reject(error), [Symbol.asyncIterator]: () => stream };
  return stream;
}
