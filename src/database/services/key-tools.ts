import { ProxyVaultError } from '../../errors.ts';
import { asMissing, type RootKeys } from '../../keys/root-keys.ts';
import { type Mode, type Session, settled } from '../drivers/driver.ts';
import type { DatabaseCipher } from './database-cipher.ts';
import type { KeyStore } from './key-store.ts';
import type { Keyset } from './keyset.ts';

/** What works on the keys of one database under those of a source. */
export interface KeyTools<M extends Mode> {
  session: Session<M>;
  roots: RootKeys;
  store: KeyStore<M>;
  cipher: DatabaseCipher<M>;
}

/**
 * Reads the source and the tables again, as before a change of keys: another process may have changed either.
 *
 * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID; INVALID_INPUT inside a transaction.
 */
export async function reloadKeys<M extends Mode>({
  session: { driver },
  roots,
  store,
  cipher,
}: KeyTools<M>): Promise<Keyset> {
  if (driver.scope !== null) {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'Keys cannot be changed or verified inside a transaction: return from it first.',
    );
  }
  await settled(driver.sequence(() => store.assertUsable()));
  const { records } = await settled(driver.sequence(() => store.load()));
  const isNeeded = records.length > 0 || (await settled(driver.sequence(() => store.hasCredentials())));
  const isPresent = await loadSource(roots.reload(), roots, isNeeded);
  return await settled(driver.sequence(() => (isPresent ? cipher.refreshOwn() : cipher.refresh())));
}

/**
 * Waits for the source; says whether it has a key.
 *
 * @throws KEY_MISSING if it has none, and one is needed.
 */
export async function loadSource(
  loading: Promise<boolean>,
  roots: RootKeys,
  isNeeded: boolean,
): Promise<boolean> {
  const isPresent = await loading.catch((error: unknown) => {
    throw isNeeded ? asMissing(error) : error;
  });
  if (!isPresent && isNeeded) throw roots.missing();
  return isPresent;
}
