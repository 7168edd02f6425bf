import { asMissing, type RootKeys } from '../../keys/root-keys.ts';
import { invalidInput } from '../../model/validation.ts';
import { type Mode, type Session, type Steps, settled, step } from '../drivers/driver.ts';
import { assertKeyElsewhere } from '../key-place.ts';
import { DatabaseCipher } from './database-cipher.ts';
import { KeyStore } from './key-store.ts';
import type { Keyset } from './keyset.ts';

/** What works on the keys of one database under those of a source. */
export interface KeyTools<M extends Mode> {
  session: Session<M>;
  roots: RootKeys;
  store: KeyStore<M>;
  cipher: DatabaseCipher<M>;
}

export function keyToolsOf<M extends Mode>(session: Session<M>, roots: RootKeys): KeyTools<M> {
  if (hasPath(session)) assertKeyElsewhere(session.path, roots.source);
  const store = new KeyStore(session, roots);
  return { session, roots, store, cipher: new DatabaseCipher(session.driver, roots, store) };
}

/** Waits for the source; makes a key in it if it has none, and `create` says so, and that is safe. */
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

/** Reads the source and the tables again, as before a change of keys: another process may have changed either. */
export async function reloadKeys<M extends Mode>(tools: KeyTools<M>): Promise<Keyset> {
  const { roots, store, cipher } = tools;
  const { driver } = tools.session;
  if (driver.scope !== null) {
    throw invalidInput('Keys cannot be changed or verified inside a transaction: return from it first.');
  }
  await settled(driver.sequence(() => store.assertUsable()));
  const { records } = await settled(driver.sequence(() => store.load()));
  const isNeeded = records.length > 0 || (await settled(driver.sequence(() => store.hasCredentials())));
  const isPresent = await loadSource(roots.reload(), roots, isNeeded);
  return await settled(driver.sequence(() => cipher.refresh(isPresent ? store.loadOwn() : store.load())));
}

/** Waits for the source; says whether it has a key. @throws KEY_MISSING if it has none, and one is needed. */
async function loadSource(loading: Promise<boolean>, roots: RootKeys, isNeeded: boolean): Promise<boolean> {
  const isPresent = await loading.catch((error: unknown) => {
    throw isNeeded ? asMissing(error) : error;
  });
  if (!isPresent && isNeeded) throw roots.missing();
  return isPresent;
}

/** Puts what an older key of the source still wraps under the one that is in use. */
function* rewrapOld<M extends Mode>({ session, roots, store, cipher }: KeyTools<M>): Steps<M, void> {
  const [root] = roots.read();
  const { records } = yield* cipher.refresh();
  if (records.every(({ kekId }) => kekId === root.id)) return;
  yield* step(session.driver.transaction(() => store.rewrapAll(root)));
  yield* cipher.refresh();
}

/** Whether the database is a file of this machine. */
export function hasPath<M extends Mode>(session: Session<M>): session is Session<M> & { path: string } {
  return 'path' in session && typeof session.path === 'string';
}

export function isWritable(session: Session<Mode>): boolean {
  return !('readonly' in session && session.readonly === true);
}
