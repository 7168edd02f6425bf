import { z } from 'zod';

import { parse } from '../model/validation.ts';
import { formatHash, newHash } from './password-hash.ts';

/** What RFC 1929 can carry. */
export const MOST_PASSWORD_BYTES = 255;

/** A password of a user of the gateway. */
export const passwordSchema = z
  .string()
  .min(1)
  .refine((value) => Buffer.byteLength(value) <= MOST_PASSWORD_BYTES, 'is longer than 255 bytes')
  .refine((value) => value.isWellFormed(), 'is not well-formed');

/**
 * The hash of a password for `passwordHash` of a `GatewayUser`, by scrypt: `scrypt$N$r$p$salt$hash`. It is another one each time. On the
 * command line `proxyvault serve --print-users` gives it.
 *
 * @throws INVALID_INPUT for an empty password, and for one of more than 255 bytes.
 * @example
 * const users = [{ name: 'alice', passwordHash: await hashPassword('a long password') }];
 * const gateway = await vault.serve({ users });
 */
export async function hashPassword(password: string): Promise<string> {
  parse(z.strictObject({ password: passwordSchema }), { password }, 'password');
  return formatHash(await newHash(password));
}
