import { invalidInput } from '../model/validation.ts';
import { ANYBODY, type ClientIdentity } from './identity.ts';

/** What is one value, so that two must be the same. */
const SINGLE = ['country', 'region', 'session', 'ttlMs', 'protocol', 'strategy'] as const;

/**
 * Who asks at a port, or with a login, whose identity is fixed in parts. Tags are joined.
 *
 * @throws INVALID_INPUT if the client asks for another value of what is fixed.
 */
export function mergeIdentities(fixed: ClientIdentity, asked: ClientIdentity): ClientIdentity {
  if (fixed === ANYBODY) return asked;
  if (asked === ANYBODY) return fixed;
  const merged: Record<string, unknown> = {};
  for (const field of SINGLE) {
    const value = fixed[field] ?? asked[field];
    if (asked[field] !== undefined && asked[field] !== value) {
      const word = field === 'ttlMs' ? 'ttl' : field;
      throw invalidInput(
        `The ${word} is fixed here, and another one was asked for: leave ${word} out, or give the same.`,
      );
    }
    if (value !== undefined) merged[field] = value;
  }
  const tags = [...new Set([...(fixed.tags ?? []), ...(asked.tags ?? [])])];
  return Object.freeze({ ...merged, ...(tags.length > 0 && { tags: Object.freeze(tags) }) });
}
