import { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import { SecretKey, type WrappedKey } from '../secret-key.ts';
import { backupOf } from './key-file.ts';
import { decodeKeys } from './key-text.ts';

const wrappedSchema = z.strictObject({
  keyId: z.string(),
  kekId: z.string(),
  wrappedKey: z.string(),
  iv: z.string(),
  tag: z.string(),
  keyCheckValue: z.string(),
}) satisfies z.ZodType<WrappedKey>;

const keyringSchema = z.strictObject({
  format: z.literal('proxyvault keyring'),
  version: z.literal(1),
  protection: z
    .object({ kind: z.enum(['passphrase', 'keychain', 'safe-storage']) })
    .catchall(z.union([z.string(), z.number()])),
  /** The first is in use, the others only decrypt. */
  keys: z.array(wrappedSchema).min(1),
});

const newerSchema = z.looseObject({ format: z.literal('proxyvault keyring'), version: z.int().min(2) });

/** The content of a key file whose keys are encrypted. */
export type SealedKeyring = z.infer<typeof keyringSchema>;

/** Whether a text is meant to be an encrypted keyring, and not keys in clear. */
export function isSealed(text: string): boolean {
  return text.trimStart().startsWith('{');
}

/** The keys in clear, for a file that only its permissions protect. */
export function plainText(keys: readonly Buffer[]): string {
  const [key, ...older] = keys.map((bytes) => bytes.toString('base64'));
  for (const bytes of keys) bytes.fill(0);
  return older.length === 0 ? `${key}\n` : `${key}\n# Older keys, which only decrypt:\n${older.join('\n')}\n`;
}

export function sealedText(protection: SealedKeyring['protection'], keys: WrappedKey[]): string {
  const keyring: SealedKeyring = { format: 'proxyvault keyring', version: 1, protection, keys };
  return `${JSON.stringify(keyring, null, 2)}\n`;
}

/** The keyring in a text; null for keys in clear. @throws KEY_INVALID. */
export function parseKeyring(text: string, path: string): SealedKeyring | null {
  if (!isSealed(text)) return null;
  const content: unknown = orNull(() => JSON.parse(text));
  const parsed = keyringSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw malformedError(
    path,
    newerSchema.safeParse(content).success
      ? 'was made by a newer version of this program, which must open it'
      : 'is malformed',
  );
}

/** The ids of the keys in a text, for which no passphrase is needed; null if it cannot be read. */
export function keyIdsOf(text: string): string[] | null {
  return orNull(
    () =>
      parseKeyring(text, '')?.keys.map(({ keyId }) => keyId) ??
      decodeKeys(text, '').map((bytes) => SecretKey.from(bytes).id),
  );
}

export function malformedError(path: string, what: string, cause?: unknown): ProxyVaultError {
  return new ProxyVaultError(
    'KEY_INVALID',
    `The keyring ${path} ${what}: restore it from its backup (${backupOf(path)}, if it is there). Nothing was generated in its place.`,
    { cause, details: { path, malformed: true } },
  );
}

/** What `work` gives, or null if it throws. The error is not lost: reading the key throws it too. */
export function orNull<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
