import { ProxyVaultError } from '../errors.ts';
import { invalidInput } from '../model/validation.ts';

/** @throws ASYNC_TRANSACTION for an async function, by its name; INVALID_INPUT for a generator and what is no function. */
export function assertSynchronous(work: unknown): asserts work is () => unknown {
  if (typeof work !== 'function') throw invalidInput('transaction takes a function.');
  const kind = Object.prototype.toString.call(work);
  if (kind === '[object AsyncFunction]' || kind === '[object AsyncGeneratorFunction]')
    throw asynchronous(work, 'is async');
  if (kind === '[object GeneratorFunction]') {
    throw invalidInput(`${nameOf(work)} is a generator, and would not run: give a plain function.`);
  }
}

/** What `work` returns. @throws ASYNC_TRANSACTION for a promise. */
export function runSynchronously<T>(work: () => T): T {
  const result = work();
  if (isThenable(result)) throw asynchronous(work, 'returned a promise');
  return result;
}

function isThenable(value: unknown): boolean {
  const mayBe = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return mayBe && 'then' in value && typeof value.then === 'function';
}

function asynchronous(work: { name: string }, what: string): ProxyVaultError {
  return new ProxyVaultError(
    'ASYNC_TRANSACTION',
    `${nameOf(work)} ${what}: a transaction cannot wait. Await first, then write in a plain function; nothing was stored.`,
  );
}

function nameOf(work: { name: string }): string {
  return work.name === '' ? 'The transaction function' : `The transaction function ${work.name}`;
}
