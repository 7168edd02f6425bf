import { ProxyVaultError } from '../../errors.ts';
import type { RootKeys } from '../../keys/root-keys.ts';
import { type Mode, type Session, settled } from '../drivers/driver.ts';
import { DatabaseCipher } from './database-cipher.ts';
import { rewrapOld } from './key-moves.ts';
import { type KeyRotationOptions, rotateKeys } from './key-rotation.ts';
import { KeyStore } from './key-store.ts';
import { type KeyTools, loadSource } from './key-tools.ts';

/** What works on the keys of a database: the functions of key-rotation, key-verification and key-moves take it. */
export function keyToolsOf<M extends Mode>(session: Session<M>, roots: RootKeys): KeyTools<M> {
  const store = new KeyStore(session, roots);
  return { session, roots, store, cipher: new DatabaseCipher(session.driver, roots, store) };
}

/**
 * Waits for the source; makes a key in it if it has none, and `create` says so, and that is safe.
 *
 * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID, MIGRATION_PENDING.
 */
export async function openKeys<M extends Mode>(tools: KeyTools<M>, create: boolean): Promise<void> {
  const { session, roots, store } = tools;
  const { driver } = session;
  // First of all, so that a source of another kind, or an older database, is found out before a key is made.
  await settled(driver.sequence(() => store.assertUsable()));
  const isNeeded = await settled(driver.sequence(() => store.hasCredentials()));
  if (await loadSource(roots.load(), roots, isNeeded)) {
    const { records } = await settled(driver.sequence(() => store.loadOwn()));
    if (isWritable(session)) await settled(driver.sequence(() => rewrapOld(tools)));
    if (records.length > 0) await roots.source.settle?.();
  } else if (create) {
    session.assertMayHoldCredentials?.();
    await roots.create();
  }
}

/** Finishes a key rotation that was interrupted, unless another process is at it, and holds the lock: that will finish it. */
export async function resumeKeyRotation<M extends Mode>(
  tools: KeyTools<M>,
  onProgress: KeyRotationOptions['onProgress'],
): Promise<void> {
  const { session, store } = tools;
  if (!isWritable(session)) return;
  const { config } = await settled(session.driver.sequence(() => store.load()));
  if (!config?.rotation) return;
  try {
    await rotateKeys(tools, { onProgress });
  } catch (error) {
    if (!(error instanceof ProxyVaultError && error.code === 'BUSY')) throw error;
  }
}

function isWritable(session: Session<Mode>): boolean {
  return !('readonly' in session && session.readonly === true);
}
