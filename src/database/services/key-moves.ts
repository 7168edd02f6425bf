import { ProxyVaultError } from '../../errors.ts';
import { createRecoveryCode, recoveryKeyOf } from '../../keys/recovery-code.ts';
import { type Keys, type RootKeys, secretKeysOf } from '../../keys/root-keys.ts';
import { SecretKey } from '../../keys/secret-key.ts';
import type { KeySource } from '../../keys/sources/key-source.ts';
import { invalidInput } from '../../model/validation.ts';
import { type Mode, type Steps, settled, step } from '../drivers/driver.ts';
import { assertKeyElsewhere } from '../key-place.ts';
import { hasPath, type KeyTools, reloadKeys } from './key-tools.ts';
import { lostConfig } from './keyset.ts';

/** Puts the keys of a database under the key of another source, or of another protection of the same file; a new one if it can store that. */
export async function moveTo<M extends Mode>(tools: KeyTools<M>, target: KeySource): Promise<void> {
  const { roots, store, cipher } = tools;
  const { driver, engine } = tools.session;
  if (hasPath(tools.session)) assertKeyElsewhere(tools.session.path, target);
  await reloadKeys(tools);
  await settled(driver.sequence(() => cipher.establish()));
  const { keys, commit } = await keysFor(target, roots);
  // The file last, under the lock: if that fails nothing was changed, and if the commit does the file has the old keys too.
  await settled(
    driver.transaction(function* (): Steps<M, void> {
      yield* store.rewrapAll(keys[0], target.kind);
      commit();
    }),
  );
  roots.replace(target, keys);
  await settled(driver.sequence(() => cipher.refresh()));
  // What the old key wraps is not left in the log.
  await settled(engine.checkpoint());
  await target.settle?.();
}

/** Makes the code that restores the key-encryption key, in place of an earlier one. It is kept nowhere. */
export function* makeRecoveryCode<M extends Mode>(tools: KeyTools<M>): Steps<M, string> {
  const { session, roots, store, cipher } = tools;
  yield* store.assertUsable();
  yield* store.loadOwn();
  const { databaseId } = yield* cipher.establish();
  const [root] = roots.read();
  const { code, key } = createRecoveryCode();
  yield* step(
    session.driver.transaction(function* (): Steps<M, void> {
      // It restores this key only: everything must be under it.
      yield* store.rewrapAll(root);
      yield* store.saveRecovery(root, key, databaseId);
    }),
  );
  yield* cipher.refresh();
  return code;
}

/** Puts the key that a recovery code restores into the source: after the keys it has, or, with `replace`, in their place. */
export async function recoverTo<M extends Mode>(
  { session: { driver }, roots: { source: target }, store }: KeyTools<M>,
  { code, replace }: { code: string; replace: boolean },
): Promise<void> {
  if (!target.prepare) {
    throw invalidInput(`No key can be stored in this source (${target.kind}): recover into a key file.`);
  }
  const recovery = recoveryKeyOf(code);
  const escrow = await settled(driver.sequence(() => store.escrow()));
  if (escrow === null) {
    throw new ProxyVaultError(
      'KEY_MISSING',
      'No recovery code was ever made for this database: restore the key file from its backup.',
    );
  }
  const { wrapped, databaseId } = escrow;
  if (databaseId === undefined) throw lostConfig();
  if (wrapped.kekId !== recovery.id) {
    throw new ProxyVaultError(
      'KEY_MISMATCH',
      'The recovery code is not the one of this database: it belongs to another, or a later one was made.',
      { details: { needed: wrapped.kekId, found: recovery.id } },
    );
  }
  const restored = recovery.unwrap(wrapped, databaseId, 'escrow');
  const present = await presentKeys(target, replace);
  const keys = [...present, restored].filter(
    (key, index, all) => all.findIndex(({ id }) => id === key.id) === index,
  );
  const commit = once(await target.prepare(bytesOf(keys), target.revision?.() ?? null, replace));
  await settled(
    driver.transaction(function* (): Steps<M, void> {
      // Under the lock: another process may have moved the key, or made another code, meanwhile.
      yield* step(driver.lock('data keys'));
      const now = yield* store.escrow();
      if (now?.wrapped.wrappedKey !== wrapped.wrappedKey) {
        throw new ProxyVaultError(
          'BUSY',
          'Another process has changed the key of this database in the meantime: try again. Nothing was changed.',
        );
      }
      yield* step(store.pin(databaseId, target.kind));
      commit();
    }),
  );
}

/**
 * An engine may play a transaction again that has put the keys into the file already. They stay there, with those that the file
 * had, so the file is the same whether the transaction is stored in the end or not.
 */
function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

async function presentKeys(target: KeySource, replace: boolean): Promise<readonly SecretKey[]> {
  try {
    return await keysIn(target);
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
async function keysFor(target: KeySource, roots: RootKeys): Promise<{ keys: Keys; commit: () => void }> {
  if (target.prepare) {
    // The same file may have another protection now, which only the present source opens.
    const { source } = roots;
    const same = source.kind === target.kind && source.location === target.location;
    const older = same ? roots.read() : await keysIn(target);
    const keys: Keys = [SecretKey.generate(), ...older];
    const commit = await target.prepare(bytesOf(keys), (same ? source : target).revision?.() ?? null);
    return { keys, commit: once(commit) };
  }
  const [root, ...older] = await keysIn(target);
  if (root) return { keys: [root, ...older], commit: () => undefined };
  throw new ProxyVaultError(
    'KEY_MISSING',
    `There is no key in the new source (${target.kind}: ${target.location}): put one there first. Nothing was changed.`,
    { details: { kind: target.kind, location: target.location } },
  );
}

async function keysIn(source: KeySource): Promise<readonly SecretKey[]> {
  const material = await source.read();
  return material === null ? [] : secretKeysOf(material);
}

function bytesOf(keys: readonly SecretKey[]): Buffer[] {
  return keys.map(({ key }) => key.export());
}
