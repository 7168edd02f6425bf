import { ProxyVaultError } from '../../errors.ts';
import type { Session, Steps } from '../drivers/driver.ts';
import { EncryptionConfigRepository } from '../repositories/encryption-config.repository.ts';
import { EncryptionSecretsRepository } from '../repositories/encryption-secrets.repository.ts';
import type { KeySource } from './key-sources/key-source.ts';
import { assertMigrated, type Keyset } from './keyset.ts';
import { createRecoveryCode, recoveryKeyOf } from './recovery-code.ts';
import { secretKeysOf } from './root-keys.ts';
import { SecretKey, type WrappedKey } from './secret-key.ts';

/**
 * Moves a database to another key source, or to another protection of the same file: the keys of the database are put
 * under that source's key (a new one, where the source can store one), the credentials stay as they are.
 *
 * @throws KEY_MISSING or KEY_MISMATCH if the present source does not open the database, or the new one has no key;
 *   UNSUPPORTED if the new one does not work here. Then nothing was changed.
 */
export async function moveTo(keyset: Keyset, target: KeySource): Promise<void> {
  await keyset.reload();
  keyset.establish();
  const { source } = keyset.roots;
  const keys = isSamePlace(source, target)
    ? await renew(target, keyset.roots.read(), revisionOf(source))
    : await keysOf(target);
  const [root] = keys;
  if (!root) throw keyset.roots.missing();
  keyset.session.driver.transaction(() => rewrapAll(keyset, root, target.kind));
  keyset.roots.replace(target, keys);
  keyset.refresh();
  await target.settle?.();
}

/** Puts what an older key of the source still wraps under the one that is in use. */
export function rewrapOld(keyset: Keyset): void {
  const [root] = keyset.roots.read();
  if (!root || keyset.records.every(({ kekId }) => kekId === root.id)) return;
  const kind = keyset.config.get()?.keySource ?? keyset.roots.source.kind;
  keyset.session.driver.transaction(() => rewrapAll(keyset, root, kind));
  keyset.refresh();
}

/** Makes the code that restores the key-encryption key, in place of an earlier one. It is kept nowhere. */
export function makeRecoveryCode(keyset: Keyset): string {
  keyset.assertOwn();
  keyset.establish();
  const [root] = keyset.roots.read();
  if (!root) throw keyset.roots.missing();
  const { code, key } = createRecoveryCode();
  keyset.session.driver.transaction(() => saveRecovery(keyset, root, key));
  return code;
}

/**
 * Puts the key that a recovery code restores into a source: behind the keys it has, or, with `replace`, in their place.
 *
 * @throws INVALID_INPUT for what is no code; KEY_MISMATCH for that of another database; KEY_MISSING if none was made;
 *   CONFLICT if the source has keys that cannot be read.
 */
export async function recoverTo(
  session: Session<'sync'>,
  code: string,
  target: KeySource,
  { replace }: { replace: boolean },
): Promise<void> {
  const recovery = recoveryKeyOf(code);
  assertMigrated(session);
  const config = new EncryptionConfigRepository(session);
  const escrow = new EncryptionSecretsRepository(session).find('escrow');
  const databaseId = config.get()?.databaseId;
  if (!escrow || databaseId === undefined) {
    throw new ProxyVaultError(
      'KEY_MISSING',
      'No recovery code was ever made for this database: restore the key file from its backup.',
    );
  }
  if (escrow.kekId !== recovery.id) {
    throw new ProxyVaultError(
      'KEY_MISMATCH',
      'The recovery code is not the one of this database: it belongs to another, or a later one was made.',
      { details: { needed: escrow.kekId, found: recovery.id } },
    );
  }
  const restored = recovery.unwrap(escrow, databaseId, 'escrow');
  const present = await presentKeys(target, replace);
  const keys = [...present, restored].filter(
    (key, index, all) => all.findIndex(({ id }) => id === key.id) === index,
  );
  await target.write?.(bytesOf(keys), revisionOf(target));
  config.pin(databaseId, target.kind);
}

async function presentKeys(target: KeySource, replace: boolean): Promise<readonly SecretKey[]> {
  try {
    return secretKeysOrNone(await target.read());
  } catch (error) {
    if (replace) return [];
    throw new ProxyVaultError(
      'CONFLICT',
      `There is a key file at ${target.location} that cannot be opened: name another with --key-file, or say --force (\`replace: true\`) to put the restored key in its place; the old file is kept as .bak.`,
      { cause: error, details: { location: target.location } },
    );
  }
}

/** A new key for a source that can store one, before those that it has; else the keys that it has. */
async function keysOf(target: KeySource): Promise<readonly SecretKey[]> {
  const had = secretKeysOrNone(await target.read());
  if (target.write) return renew(target, had, revisionOf(target));
  if (had.length > 0) return had;
  throw new ProxyVaultError(
    'KEY_MISSING',
    `There is no key in the new source (${target.kind}: ${target.location}): put one there first. Nothing was changed.`,
    { details: { kind: target.kind, location: target.location } },
  );
}

/** A new key before these. Read back, so that what cannot be opened again is found out now. */
async function renew(
  target: KeySource,
  older: readonly SecretKey[],
  revision: string | null,
): Promise<readonly SecretKey[]> {
  await target.write?.(bytesOf([SecretKey.generate(), ...older]), revision);
  return secretKeysOrNone(await target.read());
}

function bytesOf(keys: readonly SecretKey[]): Buffer[] {
  return keys.map(({ key }) => key.export());
}

function revisionOf(source: KeySource): string | null {
  return source.revision?.() ?? null;
}

function secretKeysOrNone(material: Awaited<ReturnType<KeySource['read']>>): readonly SecretKey[] {
  return material === null ? [] : secretKeysOf(material);
}

function isSamePlace(a: KeySource, b: KeySource): boolean {
  return a.kind === b.kind && a.location === b.location;
}

function* rewrapAll(keyset: Keyset, root: SecretKey, kind: string): Steps<'sync', void> {
  // Under the lock: another process may have rotated meanwhile.
  keyset.refresh();
  const { databaseId } = keyset;
  for (const record of keyset.records) {
    // What is damaged already stays as it is.
    if (keyset.problemOf(record.keyId)?.code === 'KEY_INVALID') continue;
    const key = keyset.unwrap(record, 'encryption_keys');
    yield keyset.keys.rewrap(root.wrap(key, databaseId, 'encryption_keys'));
  }
  yield* adoptDirectKeys(keyset, root);
  const fingerprint = keyset.secrets.find('fingerprint');
  if (fingerprint) {
    const key = keyset.unwrap(fingerprint, 'fingerprint');
    yield keyset.secrets.save('fingerprint', root.wrap(key, databaseId, 'fingerprint'));
  }
  const recovery = keyset.secrets.find('recovery');
  if (recovery) yield* saveRecovery(keyset, root, keyset.unwrap(recovery, 'recovery'));
  yield keyset.config.pin(databaseId, kind);
}

/** What the source's own key encrypted stays readable when that key goes: it becomes one of the database's keys. */
function* adoptDirectKeys(keyset: Keyset, root: SecretKey): Steps<'sync', void> {
  const used = keyset.credentials.keyIds();
  for (const key of keyset.roots.read()) {
    if (key.id === root.id || !(used.includes(key.id) || used.includes(null))) continue;
    const wrapped: WrappedKey = root.wrap(key, keyset.databaseId, 'encryption_keys');
    yield keyset.keys.add(wrapped, 'decrypt-only');
  }
}

function* saveRecovery(keyset: Keyset, root: SecretKey, recovery: SecretKey): Steps<'sync', void> {
  yield keyset.secrets.save('recovery', root.wrap(recovery, keyset.databaseId, 'recovery'));
  yield keyset.secrets.save('escrow', recovery.wrap(root, keyset.databaseId, 'escrow'));
}
