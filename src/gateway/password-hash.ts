import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number }, Buffer>(scrypt);

/** Some 16 MiB, and some 50 ms of a processor. */
const COST = { N: 2 ** 14, r: 8, p: 1 } as const;
const BYTES = 32;
const FORM = /^scrypt\$16384\$8\$1\$([\w-]{22})\$([\w-]{43})$/;

/** A password as it can be kept: it cannot be read from its hash. */
export interface PasswordHash {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** A new hash of a password, by scrypt (RFC 7914). */
export async function newHash(password: string): Promise<PasswordHash> {
  const salt = randomBytes(16);
  return { salt, hash: await derive(password.normalize('NFC'), salt, BYTES, COST) };
}

/** Whether a password has this hash, in a time that does not depend on the answer. */
export async function isPassword(password: string, { salt, hash }: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password.normalize('NFC'), salt, BYTES, COST), hash);
}

/** A hash that no password has: to compare with it takes as long as with that of a user. */
export function noPassword(): PasswordHash {
  return { salt: randomBytes(16), hash: randomBytes(BYTES) };
}

/** The hash as a text: `scrypt$N$r$p$salt$hash` in base64url. */
export function formatHash({ salt, hash }: PasswordHash): string {
  const { N, r, p } = COST;
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Reads what `formatHash` writes, with that cost alone, so that all checks take the same time. Null for any other text. */
export function parseHash(text: string): PasswordHash | null {
  const [, salt, hash] = FORM.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return null;
  return { salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
}
