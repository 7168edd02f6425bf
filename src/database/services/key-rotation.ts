import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises';

import { ProxyVaultError } from '../../errors.ts';
import { sealBound } from '../../keys/binding.ts';
import { type Mode, type Steps, settled } from '../drivers/driver.ts';
import { patiently } from '../patience.ts';
import { CredentialRowsRepository } from '../repositories/credential-rows.repository.ts';
import { PRIMARY_HOLDS_MS } from './database-cipher.ts';
import type { BegunKeyRotation, RotatedCredential } from './key-store.ts';
import { isWritable, type KeyTools, reloadKeys } from './key-tools.ts';
import { type CredentialFailure, openRow, verifyCredentials } from './key-verification.ts';

export interface KeyRotationProgress {
  phase: 'encrypting' | 'verifying';
  done: number;
  total: number;
}

export interface KeyRotationOptions {
  onProgress?: ((progress: KeyRotationProgress) => void) | undefined;
  /** How many credentials a transaction takes: 1 to 10,000, 500 unless given. Others write between two of them. */
  batchSize?: number | undefined;
  /** Stops between two batches, with the signal's reason; the next `rotate` or `open` continues from there. */
  signal?: AbortSignal | undefined;
}

export interface KeyRotationReport {
  /** The new primary. */
  keyId: string;
  /** It continued a rotation that was interrupted. */
  resumed: boolean;
  /** How many credentials this call has encrypted again. */
  rotated: number;
  /** How many of them had been unbound, or bound to the id of their proxy and not to its address. */
  bound: number;
  /** Credentials that do not decrypt; they were left as they are, and their keys are kept. */
  failures: CredentialFailure[];
  /** The keys that nothing needs any more, and that are gone. */
  retired: string[];
  /** The write-ahead log was emptied, so that no old ciphertext is left in it. False while a reader holds it up. */
  logTruncated: boolean;
}

/** Late writers may store rows that the cursor has passed. This many passes find them; keys in use are never retired. */
const MOST_PASSES = 5;

/**
 * Puts a new data key in place and encrypts every credential again, in short write transactions, each with its cursor:
 * whatever moment it ends at, every credential is readable, and the next call continues.
 */
export async function rotateKeys<M extends Mode>(
  tools: KeyTools<M>,
  options: KeyRotationOptions,
): Promise<KeyRotationReport> {
  const { signal, onProgress } = options;
  const { session, store, cipher } = tools;
  const { driver } = session;
  const patientlyIn = <T>(steps: () => Steps<M, T>): Promise<T> =>
    patiently(() => settled(driver.transaction(steps)), signal);
  signal?.throwIfAborted();
  const keys = await reloadKeys(tools);
  // If there is a damaged primary, the rotation makes the new key.
  if (keys.records.length === 0) await settled(driver.sequence(() => cipher.establish()));
  const begun = await patientlyIn(() => store.beginKeyRotation());
  const keyId = begun.key.id;
  const { databaseId } = await settled(driver.sequence(() => cipher.refresh()));
  const { rotated, bound } = await encryptAll(tools, { ...begun, databaseId }, patientlyIn, options);
  const { failures } = await verifyCredentials(tools, ({ done, total }) => {
    signal?.throwIfAborted();
    onProgress?.({ phase: 'verifying', done, total });
  });
  // The log first: it holds the old ciphertext for as long as the old key is there.
  await settled(session.engine.checkpoint());
  const retired = await patientlyIn(() => store.retireKeys(keyId));
  const { complete } = await settled(session.engine.checkpoint());
  await settled(driver.sequence(() => cipher.refresh()));
  return { keyId, resumed: begun.resumed, rotated, bound, failures, retired, logTruncated: complete };
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

async function encryptAll<M extends Mode>(
  { session, store, cipher }: KeyTools<M>,
  { key, cursor, databaseId }: BegunKeyRotation & { databaseId: string },
  patientlyIn: <T>(steps: () => Steps<M, T>) => Promise<T>,
  { onProgress, batchSize = 500, signal }: KeyRotationOptions,
): Promise<Pick<KeyRotationReport, 'rotated' | 'bound'>> {
  const keyId = key.id;
  const rows = new CredentialRowsRepository(session);
  const total = await settled(rows.countNotUnder(keyId));
  const begun = performance.now();
  const done = { rotated: 0, bound: 0 };
  let after = cursor;
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const before = done.rotated;
    for (;;) {
      signal?.throwIfAborted();
      const page = await settled(rows.page(after, batchSize, keyId));
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.proxyId;
      if (!(await patientlyIn(() => store.countRotated(keyId, page.length)))) return done;
      // Outside of the transaction, so that nobody waits for it.
      const replacements: RotatedCredential[] = [];
      for (const row of page) {
        const { opened } = await openRow(cipher, row);
        const { proxyId, address } = row;
        if (opened === null || address === null) continue;
        const replacement = sealBound(key, { databaseId, proxyId, address }, opened.content, opened.text);
        replacements.push({ ...row, replacement });
      }
      const stored = await patientlyIn(() => store.storeRotated(keyId, after, replacements));
      if (stored === null) return done;
      done.rotated += stored.length;
      done.bound += stored.filter(({ encrypted }) => encrypted.address === undefined).length;
      onProgress?.({ phase: 'encrypting', done: Math.min(done.rotated, total), total });
      await nextTurn();
    }
    if (pass > 0 && done.rotated === before) return done;
    // By then every process encrypts with the new key: what is found from here on are the last rows of the old one.
    await setTimeout(Math.max(0, begun + 5 * PRIMARY_HOLDS_MS - performance.now()));
    after = '';
  }
  return done;
}
