import { setTimeout } from 'node:timers/promises';

import { ProxyVaultError } from '../errors.ts';
import type { CommonOptions } from './common-options.ts';
import { startProgress } from './progress.ts';

/** So often what other processes have changed is looked at. Milliseconds. */
const LOOK_EVERY = 100;
/** What excludes a proxy for a time only: the names of `details` of NO_PROXY. */
const TEMPORARY = ['not cooling', 'not resting', 'not busy', 'not pausing', 'leases', 'readyAt'];

/**
 * Asks for a proxy, and as long as `wait` allows again while no proxy is ready, but one may come.
 *
 * @throws NO_PROXY, and what `ask` throws.
 */
export async function waiting<T>(
  options: Pick<CommonOptions, 'json' | 'quiet'> & { wait?: number },
  ask: () => Promise<T>,
): Promise<T> {
  const { wait = 0 } = options;
  if (wait === 0) return ask();
  const begun = performance.now();
  const progress = startProgress('Waiting for a proxy, in seconds', options);
  try {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!mayCome(error)) throw error;
        const left = begun + wait - performance.now();
        if (left <= 0) throw tooLate(error, wait);
        progress.update(Math.floor((wait - left) / 1000), Math.ceil(wait / 1000));
        await setTimeout(Math.min(LOOK_EVERY, left));
      }
    }
  } finally {
    progress.stop();
  }
}

function mayCome(error: unknown): error is ProxyVaultError {
  if (!(error instanceof ProxyVaultError) || error.code !== 'NO_PROXY') return false;
  return TEMPORARY.some((name) => (error.details[name] ?? null) !== null);
}

function tooLate({ code, message, details }: ProxyVaultError, wait: number): ProxyVaultError {
  return new ProxyVaultError(code, `No proxy was ready within ${wait} ms. ${message}`, { details });
}
