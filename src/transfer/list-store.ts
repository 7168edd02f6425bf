import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { step } from '../database/drivers/driver.ts';
import type { Session, Steps } from '../database/drivers/index.ts';
import { newId } from '../database/ids.ts';
import type { DatabaseManager, ProxyInput } from '../database/index.ts';
import { patiently } from '../database/patience.ts';
import type { ImportMemory } from '../database/repositories/import-memory.ts';
import {
  EncryptedCredentialsRepository,
  type ImportSummary,
  ProxyRepository,
  ProxyTagsRepository,
} from '../database/repositories/index.ts';
import { EncryptionService } from '../database/services/index.ts';
import { ProxyVaultError } from '../errors.ts';
import { type ImportListOptions, limitOf } from './import-options.ts';
import type { LineNumbers } from './line-numbers.ts';
import { findRemoval, type Removal, stoppedError } from './removal.ts';

/** What is stored in one go, since it takes no longer than a turn of the event loop may. */
const SMALL_BATCH = 1000;

/** Ends the transaction of a dry run. */
const UNDONE = new Error('rolled back');

/** What one transaction of an import stores. */
interface Batch {
  proxies: Iterable<ProxyInput>;
  count: number;
  /** The last one also stores what had to wait for the end of the list, and in a sync takes away what left the list. */
  isLast: boolean;
  /** Roll it back. */
  undo: boolean;
}

/** Stores the proxies of one import. */
export class ListStore {
  readonly summary: ImportSummary & { removed?: number } = { added: 0, updated: 0, unchanged: 0 };
  /** What a sync removed. */
  removal: Removal | undefined;
  readonly #db: DatabaseManager;
  readonly #options: ImportListOptions;
  readonly #encryption: EncryptionService | undefined;
  readonly #importId = newId();
  readonly #lines: LineNumbers;
  readonly #memory: ImportMemory;
  #done = 0;
  /** In a sync, how many proxies had the tag before the first batch. */
  #tagged: number | undefined;

  constructor(db: DatabaseManager, options: ImportListOptions, lines: LineNumbers, memory: ImportMemory) {
    this.#db = db;
    this.#lines = lines;
    this.#memory = memory;
    this.#options = options;
    this.#encryption = options.dryRun ? keyForDryRun(db, options.encryption) : options.encryption;
  }

  /** Stores a batch, and lets others have their turn before the next. */
  async add(proxies: readonly ProxyInput[]): Promise<void> {
    await this.#store({ proxies, count: proxies.length, isLast: false, undo: false });
    await nextTurn();
  }

  /**
   * Adds the last ones, of which there are `count`, and what had to wait for the end of the list; in a sync removes what
   * left the list, all in one transaction.
   */
  addLast(proxies: Iterable<ProxyInput>, count: number): Promise<void> {
    return this.#store({ proxies, count, isLast: true, undo: this.#options.dryRun === true });
  }

  /** As `addLast`, and rolls it back. @throws what a real import would. */
  rehearse(proxies: Iterable<ProxyInput>, count: number): Promise<void> {
    return this.#store({ proxies, count, isLast: true, undo: true });
  }

  async #store(batch: Batch): Promise<void> {
    const before = { read: this.#memory.read, stored: this.#done };
    const waiting = batch.isLast ? this.#memory.undecided : 0;
    const isLong = batch.count + waiting > SMALL_BATCH || (batch.isLast && this.#options.sync === true);
    const steps = (session: Session<'sync'>): Steps<'sync', void> => this.#steps(session, batch);
    try {
      if (isLong) await this.#db.longTransaction(steps);
      else await patiently(() => this.#db.driver.transaction(() => steps(this.#db)));
    } catch (error) {
      // An error that is about one proxy names its line.
      if (error !== UNDONE) throw this.#lines.locate(error, before);
    }
  }

  *#steps(session: Session<'sync'>, { proxies, count, isLast, undo }: Batch): Steps<'sync', void> {
    const { tag: name, sync, onProgress } = this.#options;
    const before = this.#done;
    const total = before + this.#memory.undecided + count;
    const tag = name === undefined ? undefined : { name, importId: this.#importId };
    const tags = new ProxyTagsRepository(session);
    if (sync && tag) this.#tagged ??= yield* step(tags.count(tag.name));
    const counts = yield* new ProxyRepository(session, this.#encryption).importSteps(proxies, {
      tag,
      memory: this.#memory,
      isLast,
      onProgress: (done) => {
        this.#done = before + done;
        onProgress?.({ phase: 'storing', done: this.#done, total: Math.max(total, this.#done) });
      },
    });
    for (const each of ['added', 'updated', 'unchanged'] as const) this.summary[each] += counts[each];
    if (sync && tag && isLast) yield* this.#removeOthers(tags, tag, before);
    if (undo) throw UNDONE;
  }

  /** @throws INVALID_INPUT if the limit does not allow it; a dry run says so in its result. */
  *#removeOthers(
    tags: ProxyTagsRepository,
    tag: { name: string; importId: string },
    before: number,
  ): Steps<'sync', void> {
    const asked = limitOf(this.#options);
    const limit = asked === null ? '100%' : asked;
    const removal = yield* findRemoval(tags, tag, { of: this.#tagged ?? 0, limit });
    if (removal.stopped && !this.#options.dryRun) {
      this.#options.onStopped?.(removal);
      const outcome =
        before === 0
          ? 'Nothing was changed.'
          : `Nothing was removed; the ${before} proxies of earlier batches stay stored.`;
      throw stoppedError(removal, { tag: tag.name, limit, outcome });
    }
    this.removal = removal;
    this.summary.removed = yield* tags.removeOthersSteps(tag.name, tag.importId);
  }
}

/** A dry run stores no key: before the first login is stored, it uses a key that is thrown away. */
function keyForDryRun(
  db: DatabaseManager,
  encryption: EncryptionService | undefined,
): EncryptionService | undefined {
  try {
    encryption?.keyId();
    return encryption;
  } catch (error) {
    const isMissing = error instanceof ProxyVaultError && error.code === 'KEY_MISSING';
    if (!isMissing || new EncryptedCredentialsRepository(db).count() > 0) throw error;
    return new EncryptionService({ key: randomBytes(32) });
  }
}
