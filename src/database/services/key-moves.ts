import { ProxyVaultError } from '../../errors.ts';
import { createRecoveryCode, recoveryKeyOf } from '../../keys/recovery-code.ts';
import { type Keys, secretKeysOf } from '../../keys/root-keys.ts';
import { SecretKey, type WrappedKey } from '../../keys/secret-key.ts';
import type { KeyMaterial, KeySource } from '../../keys/sources/key-source.ts';
import type { Session, Steps } from '../drivers/driver.ts';
import { EncryptionConfigRepository } from '../repositories/encryption-config.repository.ts';
import { EncryptionSecretsRepository } from '../repositories/encryption-secrets.repository.ts';
import { assertMigrated, type Keyset, lostConfig } from './keyset.ts';

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
  const { keys, commit } = await keysFor(target, keyset);
  // The file last, under the lock: if that fails nothing was changed, and if the commit does the file has the old keys too.
  keyset.session.driver.transaction(function* (): Steps<'sync', void> {
    yield* rewrapAll(keyset, keys[0], target.kind);
    commit();
  });
  keyset.roots.replace(target, keys);
  keyset.refresh();
  // What the old key wraps is not left in the log.
  keyset.truncateLog();
  await target.settle?.();
}

/** Puts what an older key of the source still wraps under the one that is in use. */
export function rewrapOld(keyset: Keyset): void {
  const [root] = keyset.roots.read();
  if (keyset.records.every(({ kekId }) => kekId === root.id)) return;
  keyset.session.driver.transaction(() => rewrapAll(keyset, root));
  keyset.refresh();
}

/** Makes the code that restores the key-encryption key, in place of an earlier one. It is kept nowhere. */
export function makeRecoveryCode(keyset: Keyset): string {
  keyset.assertUsable();
  keyset.refresh();
  keyset.assertOwn();
  keyset.establish();
  const [root] = keyset.roots.read();
  const { code, key } = createRecoveryCode();
  keyset.session.driver.transaction(function* (): Steps<'sync', void> {
    // It restores this key only: everything must be under it.
    yield* rewrapAll(keyset, root);
    yield* saveRecovery(keyset, root, key);
  });
  keyset.refresh();
  return code;
}

/**
 * Puts the key that a recovery code restores into a source: behind the keys it has, or, with `replace`, in their place.
 *
 * @throws INVALID_INPUT for what is no code; KEY_MISMATCH for that of another database; KEY_MISSING if none was made;
 *   CONFLICT if the source has keys that cannot be read; BUSY if another process changes the key meanwhile.
 */
export async function recoverTo(
  session: Session<'sync'>,
  code: string,
  target: KeySource,
  { replace }: { replace: boolean },
): Promise<void> {
  if (!target.prepare) {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      `No key can be stored in this source (${target.kind}): recover into a key file.`,
    );
  }
  const recovery = recoveryKeyOf(code);
  assertMigrated(session);
  const config = new EncryptionConfigRepository(session);
  const escrow = new EncryptionSecretsRepository(session).find('escrow');
  if (!escrow) {
    throw new ProxyVaultError(
      'KEY_MISSING',
      'No recovery code was ever made for this database: restore the key file from its backup.',
    );
  }
  const databaseId = config.get()?.databaseId;
  if (databaseId === undefined) throw lostConfig();
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
  const commit = await target.prepare(bytesOf(keys), revisionOf(target), replace);
  session.driver.transaction(function* (): Steps<'sync', void> {
    assertUnchanged(session, escrow);
    yield config.pin(databaseId, target.kind);
    commit();
  });
}

/** Under the lock: another process may have moved the key, or made another code, meanwhile. */
function assertUnchanged(session: Session<'sync'>, escrow: WrappedKey): void {
  const present = new EncryptionSecretsRepository(session).find('escrow');
  if (present?.wrappedKey === escrow.wrappedKey) return;
  throw new ProxyVaultError(
    'BUSY',
    'Another process has changed the key of this database in the meantime: try again. Nothing was changed.',
  );
}

async function presentKeys(target: KeySource, replace: boolean): Promise<readonly SecretKey[]> {
  try {
    return keysOf(await target.read());
  } catch (error) {
    if (replace) return [];
    throw new ProxyVaultError(
      'CONFLICT',
      `There is a key file at ${target.location} that cannot be opened: name another with --key-file, or say --force (\`replace: true\`) to put the restored key in its place; the old file is kept as .bak.`,
      { cause: error, details: { location: target.location } },
    );
  }
}

/** The keys that a target will have, and what puts them there: a new one before those it has, where it can store one. */
async function keysFor(target: KeySource, keyset: Keyset): Promise<{ keys: Keys; commit: () => void }> {
  if (target.prepare) {
    // The same file may have another protection now, which only the present source opens.
    const { source } = keyset.roots;
    const same = source.kind === target.kind && source.location === target.location;
    const older = same ? keyset.roots.read() : keysOf(await target.read());
    const keys: Keys = [SecretKey.generate(), ...older];
    return { keys, commit: await target.prepare(bytesOf(keys), revisionOf(same ? source : target)) };
  }
  const [root, ...older] = keysOf(await target.read());
  if (root) return { keys: [root, ...older], commit: () => undefined };
  throw new ProxyVaultError(
    'KEY_MISSING',
    `There is no key in the new source (${target.kind}: ${target.location}): put one there first. Nothing was changed.`,
    { details: { kind: target.kind, location: target.location } },
  );
}

function keysOf(material: KeyMaterial | null): readonly SecretKey[] {
  return material === null ? [] : secretKeysOf(material);
}

function bytesOf(keys: readonly SecretKey[]): Buffer[] {
  return keys.map(({ key }) => key.export());
}

function revisionOf(source: KeySource): string | null {
  return source.revision?.() ?? null;
}

function* rewrapAll(keyset: Keyset, root: SecretKey, kind?: string): Steps<'sync', void> {
  // Under the lock: another process may have rotated meanwhile.
  keyset.refresh();
  keyset.assertOwn();
  const { databaseId } = keyset;
  for (const record of keyset.records) {
    const key = keyset.unwrapSound(record, 'encryption_keys');
    if (key) yield keyset.keys.rewrap(root.wrap(key, databaseId, 'encryption_keys'));
  }
  yield* adoptDirectKeys(keyset, root);
  const fingerprint = keyset.unwrapSound(keyset.secrets.find('fingerprint'), 'fingerprint');
  if (fingerprint)
    yield keyset.secrets.save('fingerprint', root.wrap(fingerprint, databaseId, 'fingerprint'));
  const recovery = keyset.unwrapSound(keyset.secrets.find('recovery'), 'recovery');
  if (recovery) yield* saveRecovery(keyset, root, recovery);
  if (kind !== undefined) yield keyset.config.pin(databaseId, kind);
}

/** What the source's own key encrypted stays readable when that key goes: it becomes one of the database's keys. */
function* adoptDirectKeys(keyset: Keyset, root: SecretKey): Steps<'sync', void> {
  const used = keyset.rows.keyIds();
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
