import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises';

import { ProxyVaultError } from '../../errors.ts';
import { sealBound } from '../../keys/binding.ts';
import type { EncryptedData } from '../../keys/credential-cipher.ts';
import type { SecretKey } from '../../keys/secret-key.ts';
import type { Steps } from '../drivers/driver.ts';
import { patiently } from '../patience.ts';
import type { StoredCredential } from '../repositories/credential-record.ts';
import type { RotationState } from '../repositories/encryption-config.repository.ts';
import { type CredentialFailure, failureOf, verifyCredentials } from './key-verification.ts';
import { type Keyset, PRIMARY_HOLDS_MS } from './keyset.ts';
import { MOST_MESSAGES } from './message-budget.ts';

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
  /** It went on with a rotation that was interrupted. */
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

/** Late writers may leave rows behind the cursor; this many passes find them, and keys in use are never retired. */
const MOST_PASSES = 5;

/**
 * Puts a new data key in place and encrypts every credential again, in short write transactions, each with its cursor:
 * whatever moment it ends at, every credential is readable, and the next call continues.
 */
export async function rotate(keyset: Keyset, options: KeyRotationOptions): Promise<KeyRotationReport> {
  options.signal?.throwIfAborted();
  await keyset.reload();
  // A primary that is damaged is no reason to make none.
  if (keyset.records.length === 0) keyset.establish();
  const { driver } = keyset.session;
  const begun = await patiently(() => driver.transaction(() => begin(keyset)), options.signal);
  keyset.refresh();
  const report: KeyRotationReport = {
    keyId: begun.state.keyId,
    resumed: begun.resumed,
    rotated: 0,
    bound: 0,
    failures: [],
    retired: [],
    logTruncated: false,
  };
  await encryptAll(keyset, begun, report, options);
  const onProgress = ({ done, total }: { done: number; total: number }): void => {
    options.signal?.throwIfAborted();
    options.onProgress?.({ phase: 'verifying', done, total });
  };
  report.failures = (await verifyCredentials(keyset, { onProgress })).failures;
  // The log first: it holds the old ciphertext for as long as the old key is there.
  keyset.truncateLog();
  report.retired = await patiently(
    () => driver.transaction(() => retire(keyset, report.keyId)),
    options.signal,
  );
  report.logTruncated = keyset.truncateLog();
  keyset.refresh();
  return report;
}

/** A rotation under way, and the key that it goes to. Another process may end it, and retire the key, at any moment. */
interface Begun {
  state: RotationState;
  key: SecretKey;
  resumed: boolean;
}

function* begin(keyset: Keyset): Steps<'sync', Begun> {
  // Under the lock: the key that new ones are wrapped by must be this database's.
  keyset.refresh();
  keyset.assertOwn();
  const state = keyset.config.get()?.rotation;
  // A rotation to a damaged key starts again with a new one.
  if (state && keyset.problemOf(state.keyId) === null)
    return { state, key: keyset.dataKey(state.keyId), resumed: true };
  const key = yield* keyset.replacePrimary();
  yield keyset.config.startRotation(key.id);
  return { state: { keyId: key.id, cursor: '', startedAt: '' }, key, resumed: false };
}

async function encryptAll(
  keyset: Keyset,
  { state: { keyId, cursor }, key }: Begun,
  report: KeyRotationReport,
  { onProgress, batchSize = 500, signal }: KeyRotationOptions,
): Promise<void> {
  const { driver } = keyset.session;
  const total = keyset.rows.countNotUnder(keyId);
  const begun = performance.now();
  let after = cursor;
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const before = report.rotated;
    for (;;) {
      signal?.throwIfAborted();
      const page = keyset.rows.page(after, batchSize, keyId);
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.proxyId;
      const isReserved = await patiently(
        () => driver.transaction(() => reserve(keyset, keyId, page.length)),
        signal,
      );
      if (!isReserved) return;
      const replacements = page.flatMap((row) => reencrypt(keyset, key, row));
      const swapped = await patiently(
        () => driver.transaction(() => swapAll(keyset, keyId, after, replacements)),
        signal,
      );
      if (swapped === null) return;
      report.rotated += swapped.length;
      report.bound += swapped.filter(({ encrypted }) => encrypted.address === undefined).length;
      onProgress?.({ phase: 'encrypting', done: Math.min(report.rotated, total), total });
      await nextTurn();
    }
    if (pass > 0 && report.rotated === before) return;
    // By then every process encrypts with the new key: what is found from here on are the last rows of the old one.
    await setTimeout(Math.max(0, begun + 5 * PRIMARY_HOLDS_MS - performance.now()));
    after = '';
  }
}

/**
 * Counts messages before they are encrypted, and commits that, so that the count is never too low; false if another process
 * has ended the rotation.
 *
 * @throws KEY_EXHAUSTED.
 */
function* reserve(keyset: Keyset, keyId: string, messages: number): Steps<'sync', boolean> {
  // Under the lock: a rotation that has ended may have retired the key.
  if (keyset.config.get()?.rotation?.keyId !== keyId) return false;
  if ((yield keyset.keys.reserve(keyId, messages, MOST_MESSAGES)) !== null) return true;
  throw new ProxyVaultError(
    'KEY_EXHAUSTED',
    `The data key ${keyId} has encrypted 2^32 messages, the most that are safe, before the rotation to it was done: rotate again.`,
    { details: { keyId } },
  );
}

interface Replacement extends StoredCredential {
  replacement: EncryptedData;
}

/** Outside of the transaction, so that nobody waits for it. Nothing for a row that does not decrypt. */
function reencrypt(keyset: Keyset, key: SecretKey, row: StoredCredential): Replacement[] {
  const made: Replacement[] = [];
  const { proxyId, address } = row;
  if (address === null) return made;
  failureOf((encrypted) => {
    const { content, text } = keyset.open(proxyId, address, encrypted);
    const place = { databaseId: keyset.databaseId, proxyId, address };
    made.push({ ...row, replacement: sealBound(key, place, content, text) });
  }, row);
  return made;
}

/** The rows that were still as they had been read; null if another process has ended the rotation. */
function* swapAll(
  keyset: Keyset,
  keyId: string,
  cursor: string,
  replacements: readonly Replacement[],
): Steps<'sync', Replacement[] | null> {
  if (!(yield keyset.config.advanceRotation(keyId, cursor))) return null;
  const swapped: Replacement[] = [];
  for (const each of replacements) {
    if (yield keyset.rows.swap(each.proxyId, each.encrypted, each.replacement)) swapped.push(each);
  }
  return swapped;
}

function* retire(keyset: Keyset, keyId: string): Steps<'sync', string[]> {
  const state = keyset.config.get()?.rotation;
  // Others may still encrypt with what another rotation has just demoted: that one retires it, when they no longer can.
  if (state && state.keyId !== keyId) return [];
  const retired = (yield keyset.keys.deleteUnused()) as string[];
  if (state) yield keyset.config.endRotation();
  return retired;
}
