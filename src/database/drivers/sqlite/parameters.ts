import { isUint8Array } from 'node:util/types';

import { invalidInput } from '../../../model/validation.ts';
import type { Params } from '../driver.ts';

/**
 * SQLite would store undefined and NaN as NULL, and any typed array as its bytes.
 *
 * @throws INVALID_INPUT, which names the parameter and never its value.
 */
export function assertParameters(params: Params): void {
  for (const name in params) {
    const value: unknown = params[name];
    const type = typeof value;
    if (type === 'string' || type === 'bigint' || value === null) continue;
    if (type === 'number' && !Number.isNaN(value)) continue;
    if (isUint8Array(value)) continue;
    throw invalidInput(
      `The parameter ${name} must be a string, a number, a bigint, a Uint8Array or null, and is ${type === 'number' ? 'NaN' : `of the type ${type}`}.`,
      { parameter: name },
    );
  }
}
