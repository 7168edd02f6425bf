import { invalidInput } from '../../model/validation.ts';

const begun = new WeakSet<object>();

/**
 * Gives values to the steps of a transaction, which an engine with several writers may play again. A generator, or another
 * iterable that can be read once only, would be empty then, and the second play would store nothing and report success.
 *
 * @throws INVALID_INPUT for such an iterable that was read before.
 */
export function readable<T>(values: Iterable<T>): Iterable<T> {
  const iterator = values[Symbol.iterator]();
  if (!Object.is(iterator, values)) return { [Symbol.iterator]: () => iterator };
  if (begun.has(values))
    throw invalidInput(
      'The list can be read once only, and was read before: by an earlier call, or by this one, which has to be repeated since another transaction was in its way. Give an array. Nothing was stored.',
    );
  begun.add(values);
  return values;
}
