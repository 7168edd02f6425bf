import { ProxyVaultError } from '../../errors.ts';
import { asMissing, type RootKeys } from '../../keys/root-keys.ts';
import type { KeySource } from '../../keys/sources/key-source.ts';
import { assertFunction, assertOptions, assertWhole } from '../../model/validation.ts';
import { type Mode, type Result, type Session, settled } from '../drivers/driver.ts';
import { DatabaseCipher, type KeyTools } from './database-cipher.ts';
import { makeRecoveryCode, moveTo, rewrapOld } from './key-moves.ts';
import { type KeyRotationOptions, type KeyRotationReport, rotateKeys } from './key-rotation.ts';
import { type KeyStatus, statusOf } from './key-status.ts';
import { KeyStore } from './key-store.ts';
import { type VerificationOptions, type VerificationReport, verifyCredentials } from './key-verification.ts';

/** The keys of one database under those of a source: what encrypts with them, and what changes them. */
export class KeyManagement<M extends Mode> {
  readonly cipher: DatabaseCipher<M>;
  readonly #tools: KeyTools<M>;
  readonly #roots: RootKeys;

  constructor(session: Session<M>, roots: RootKeys) {
    const store = new KeyStore(session, roots);
    this.cipher = new DatabaseCipher(session.driver, roots, store);
    this.#tools = { session, store, cipher: this.cipher };
    this.#roots = roots;
  }

  /**
   * Waits for the source; makes a key in it if it has none, and that is safe.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID, MIGRATION_PENDING.
   */
  async open(create: boolean): Promise<void> {
    const { session, store } = this.#tools;
    const { driver } = session;
    // First of all, so that a source of another kind, or an older database, is found out before a key is made.
    await settled(driver.sequence(() => store.assertUsable()));
    const isNeeded = await settled(driver.sequence(() => store.hasCredentials()));
    const present = await this.#roots.load().catch((error: unknown) => {
      throw isNeeded ? asMissing(error) : error;
    });
    if (present) {
      const { records } = await settled(driver.sequence(() => store.loadOwn()));
      const [root] = this.#roots.read();
      if (isWritable(session)) await settled(driver.sequence(() => rewrapOld(this.#tools, root)));
      if (records.length > 0) await this.#roots.source.settle?.();
    } else if (isNeeded) throw this.#roots.missing();
    else if (create) {
      session.assertMayHoldCredentials?.();
      await this.#roots.create();
    }
  }

  /** Finishes a key rotation that was interrupted, unless another process is at it, and holds the lock: that will finish it. */
  async resumeRotation(onProgress: KeyRotationOptions['onProgress']): Promise<void> {
    const { session, store } = this.#tools;
    if (!isWritable(session)) return;
    const { keys } = await settled(session.driver.sequence(() => store.survey()));
    if (!keys.config?.rotation) return;
    try {
      await this.rotate({ onProgress });
    } catch (error) {
      if (!(error instanceof ProxyVaultError && error.code === 'BUSY')) throw error;
    }
  }

  rotate(options: KeyRotationOptions): Promise<KeyRotationReport> {
    const known = ['onProgress', 'batchSize', 'signal'] as const;
    const { batchSize = 1, onProgress } = assertOptions(options, known, 'options of rotate');
    assertWhole(batchSize, 'batchSize', 1, 10_000);
    if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
    return rotateKeys(this.#tools, options);
  }

  status(): Result<M, KeyStatus> {
    const { session, store } = this.#tools;
    const roots = this.#roots;
    // One state of all tables.
    return session.engine.snapshot(function* () {
      return statusOf(yield* store.survey(), roots);
    });
  }

  verify(onProgress: VerificationOptions['onProgress']): Promise<VerificationReport> {
    return verifyCredentials(this.#tools, onProgress);
  }

  protect(target: KeySource): Promise<void> {
    if (typeof target !== 'object' || target === null || typeof target.read !== 'function')
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'protect takes a key source, such as keyringFile(path) gives.',
      );
    return moveTo(this.#tools, this.#roots, target);
  }

  createRecoveryCode(): Result<M, string> {
    return this.#tools.session.driver.sequence(() => makeRecoveryCode(this.#tools, this.#roots));
  }
}

function isWritable(session: Session<Mode>): boolean {
  return !('readonly' in session && session.readonly === true);
}
