import { randomBytes, type ScryptOptions, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import { invalidInput } from '../../model/validation.ts';
import { KEY_BYTES } from '../secret-key.ts';
import type { ProtectionParameters, Protector } from './protector.ts';

/** A passphrase, or what asks for one. */
export type Passphrase = string | (() => string | Promise<string>);

/** OWASP Password Storage Cheat Sheet: N = 2^17, r = 8, p = 1, some 128 MiB. RFC 7914. */
export const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 } as const;

/** What a file may ask for: no less than is safe, and no more than 1 GiB and some seconds. */
const parametersSchema = z
  .strictObject({
    kdf: z.literal('scrypt'),
    n: z
      .int()
      .min(2 ** 15)
      .max(2 ** 20)
      .refine((n) => (n & (n - 1)) === 0, 'is no power of two'),
    r: z.int().min(8).max(16),
    p: z.int().min(1).max(4),
    salt: z.base64().refine((salt) => Buffer.from(salt, 'base64').length >= 16, 'is too short'),
  })
  .refine(({ n, r }) => 128 * n * r <= 2 ** 30, 'asks for more than 1 GiB');

type ScryptParameters = z.infer<typeof parametersSchema>;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** Protects by a passphrase, in Unicode form NFC, so that two keyboards give one key. */
export function passphraseProtector(passphrase: Passphrase, path: string): Protector {
  const keyOf = async ({ n, r, p, salt }: ScryptParameters): Promise<Buffer> => {
    const text = typeof passphrase === 'function' ? await passphrase() : passphrase;
    assertPassphrase(text);
    // Twice what RFC 7914 asks for, which Node counts a little differently.
    const maxmem = 256 * n * r;
    return derive(text.normalize('NFC'), Buffer.from(salt, 'base64'), KEY_BYTES, { N: n, r, p, maxmem });
  };
  return {
    kind: 'passphrase',
    async protect() {
      const { N: n, r, p } = SCRYPT;
      const parameters = { kdf: 'scrypt' as const, n, r, p, salt: randomBytes(16).toString('base64') };
      return { key: await keyOf(parameters), parameters };
    },
    async unprotect(parameters: ProtectionParameters) {
      const parsed = parametersSchema.safeParse(parameters);
      if (parsed.success) return { key: await keyOf(parsed.data) };
      throw new ProxyVaultError(
        'KEY_INVALID',
        `The keyring ${path} has parameters for scrypt that are malformed, or outside what is safe (N 2^15 to 2^20, r 8 to 16, p 1 to 4): restore it from its backup.`,
        { details: { path, malformed: true } },
      );
    },
  };
}

/** @throws INVALID_INPUT for an empty passphrase, or one that is no well-formed text. */
export function assertPassphrase(text: string): void {
  if (typeof text !== 'string' || !text.isWellFormed())
    throw invalidInput('The passphrase must be a well-formed text.');
  if (text === '') throw invalidInput('The passphrase is empty.');
}
