import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { newId } from '../database/ids.ts';
import type { DatabaseManager, ProxyInput, Session, Steps } from '../database/index.ts';
import { patiently } from '../database/patience.ts';
import { ImportMemory } from '../database/repositories/import-memory.ts';
import {
  EncryptedCredentialsRepository,
  type ImportSummary,
  ProxyRepository,
  ProxyTagsRepository,
} from '../database/repositories/index.ts';
import { EncryptionService } from '../database/services/index.ts';
import { Turns } from '../database/turns.ts';
import { ProxyVaultError } from '../errors.ts';
import { Spool } from '../files/spool.ts';
import { type ListedProxy, type ListSource, type ParseOptions, parseProxyList } from '../lists/index.ts';
import { assertParseOptions } from '../lists/parse-options.ts';
import { type ImportResult, type Refusal, VerdictCounter } from './import-result.ts';
import { LineNumbers } from './line-numbers.ts';
import { type List, listsOf, type NamedList } from './named-lists.ts';
import { assertMaxRemove, findRemoval, type MaxRemove, type Removal, stoppedError } from './removal.ts';

/** How far an import is: first it reads lines, then it stores `total` proxies. */
export type ImportProgress =
  | { phase: 'reading'; done: number }
  | { phase: 'storing'; done: number; total: number };

export interface ImportListOptions extends ParseOptions {
  /** Needed if the list has credentials. */
  encryption?: EncryptionService | undefined;
  /**
   * Who resolves the names of targets, for SOCKS proxies of which the list does not say it. Unless given, new proxies do, and
   * known ones stay as they are; false leaves it to their clients.
   */
  remoteDns?: boolean | undefined;
  /** A tag for each proxy of the list. */
  tag?: string | undefined;
  /**
   * Make the pool equal to the list for this tag: take the tag from proxies that are not in the list, and remove those that
   * have no other tag. Statistics of what stays are kept. Needs `tag`.
   */
  sync?: boolean | undefined;
  /**
   * The most proxies that a sync may take the tag from: a number, or a share such as `'80%'` of those that had the tag before.
   * A sync that would take it from more is stopped before it changes anything. Default: half of them, but fewer than 10 are
   * always allowed.
   */
  maxRemove?: MaxRemove | undefined;
  /** Sync in any case: also with a list that is empty, is no list, or ends in its middle, and without the limit of `maxRemove`. */
  force?: boolean | undefined;
  /** Say what would be done and change nothing. */
  dryRun?: boolean | undefined;
  /** Commit after every so many proxies, and not once for all: what was stored survives, and a repeat completes it. */
  batch?: number | undefined;
  onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Called before a sync is stopped, with what it would remove. */
  onStopped?: ((removal: Removal) => void) | undefined;
  /** Called with each rejected line or record; the result has only the first 10,000. */
  onRefused?: ((refusal: Refusal) => void) | undefined;
}

const URL_LEFT_OUT =
  'the change-IP URL was not stored: without the password, several proxies may be meant, or the stored login cannot be read';

const READ_STEP = 10_000;

/** What is stored in one go, since it takes no longer than a turn of the event loop may. */
const SMALL_BATCH = 1000;

/**
 * Reads a list, or several as one, and stores its proxies in one transaction: all of it or, on an error or a crash, nothing.
 * The list is read to its end before the lock is taken; meanwhile the proxies lie encrypted in a temporary file. Other work of
 * the event loop has its turn all the time. While proxies are stored, other writes wait, and those of this process are BUSY;
 * with a `batch` of at most 1000 they have their turn between two batches. A sync in batches that has a limit is first tried as a
 * whole, in a transaction that is rolled back, so that it can be stopped before it changes anything.
 *
 * @throws INVALID_INPUT for options outside their range; a source that is none, or a path (write `{ file: path }`); a list that is
 *   empty or has only comments; a sync with a list that is incomplete, or that would remove more than `maxRemove` (with
 *   `details.tag`, `of`, `leaving` and `removed`). BUSY;
 *   KEY_MISSING, KEY_MISMATCH; CANNOT_OPEN for a login if every user of this machine may write the pool; CLOSED; what the
 *   source throws. With `batch`, what was committed before stays.
 */
export async function importProxies(
  db: DatabaseManager,
  source: ListSource | readonly NamedList[],
  options: ImportListOptions = {},
): Promise<ImportResult> {
  assertImportOptions(options);
  const lists = listsOf(source);
  const counter = new VerdictCounter(options.onRefused);
  const lines = new LineNumbers();
  using memory = new ImportMemory();
  const store = new ListStore(db, options, lines, memory);
  const { batch = 0, dryRun = false } = options;
  // Batches would stay stored if a later one has a login that the pool may not hold: then all is read first.
  const isBatched = batch > 0 && !dryRun && mayHoldCredentials(db);
  const isRehearsed = isBatched && limitOf(options) !== null;
  using spool = new Spool<ProxyInput>();
  let waiting: ProxyInput[] = [];
  const addInBatches = async (proxy: ProxyInput): Promise<void> => {
    if (waiting.push(proxy) < batch) return;
    await store.add(waiting);
    waiting = [];
  };
  for await (const proxy of readLists(lists, options, counter, lines)) {
    if (isBatched && !isRehearsed) await addInBatches(proxy);
    else spool.push(proxy);
  }
  if (!(options.sync && options.force)) counter.assertNotEmpty();
  assertSyncable(counter, options);
  if (isRehearsed) {
    using trial = new ImportMemory();
    const rehearsal = new ListStore(db, { ...options, onProgress: undefined }, lines, trial);
    await rehearsal.rehearse(spool.read(), spool.count);
    for (const proxy of spool.read()) await addInBatches(proxy);
  }
  await store.addLast(isBatched ? waiting : spool.read(), isBatched ? waiting.length : spool.count);
  for (const index of memory.urlsLeftOut) {
    const place = lines.placeOf(index);
    if (place) counter.addNote(URL_LEFT_OUT, place.line, place.name);
  }
  const result = counter.result(store.summary, store.removal);
  return dryRun ? { ...result, dryRun } : result;
}

/** The proxies of all lists, one after the other; the counter is told of every line. */
async function* readLists(
  lists: readonly List[],
  options: ImportListOptions,
  counter: VerdictCounter,
  lines: LineNumbers,
): AsyncGenerator<ProxyInput, void, undefined> {
  const { protocol, strictProtocol, format, onProgress } = options;
  const turns = new Turns();
  for (const list of lists) {
    for await (const verdict of parseProxyList(list.source, { protocol, strictProtocol, format })) {
      counter.add(verdict, list.name);
      if (counter.lines % READ_STEP === 0) onProgress?.({ phase: 'reading', done: counter.lines });
      if (verdict.kind === 'proxy') {
        lines.add(list.name, verdict.line);
        yield toInput(verdict.proxy, options);
      }
      const turn = turns.next();
      if (turn) await turn;
    }
    counter.endList(list.name);
  }
}

/** The limit of what a sync may remove, undefined being the default one; null if there is none. */
function limitOf({ sync, force, maxRemove }: ImportListOptions): { most: MaxRemove | undefined } | null {
  return sync && !force ? { most: maxRemove } : null;
}

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
class ListStore {
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
    if (sync && tag) this.#tagged ??= (yield tags.count(tag.name)) as number;
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
    const limit = limitOf(this.#options);
    const most = limit ? limit.most : '100%';
    const removal = yield* findRemoval(tags, tag, { of: this.#tagged ?? 0, limit: most });
    if (removal.stopped && !this.#options.dryRun) {
      this.#options.onStopped?.(removal);
      const outcome =
        before === 0
          ? 'Nothing was changed.'
          : `Nothing was removed; the ${before} proxies of earlier batches stay stored.`;
      throw stoppedError(removal, { tag: tag.name, limit: most, outcome });
    }
    this.removal = removal;
    this.summary.removed = yield* tags.removeOthersSteps(tag.name, tag.importId);
  }
}

function mayHoldCredentials(db: DatabaseManager): boolean {
  try {
    db.assertMayHoldCredentials();
    return true;
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    return false;
  }
}

/** A dry run makes no key: where there is none, and nothing was encrypted yet, a throwaway one does. */
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

function assertImportOptions(options: ImportListOptions): void {
  assertParseOptions(options);
  const { tag, sync, batch = 1, maxRemove } = options;
  assertMaxRemove(maxRemove);
  if (sync && tag === undefined)
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'A sync needs a tag: it removes what left the list of that tag.',
    );
  if (!Number.isSafeInteger(batch) || batch < 1)
    throw new ProxyVaultError('INVALID_INPUT', 'batch must be a whole number from 1.');
}

function assertSyncable(
  { proxies, broken, refused }: VerdictCounter,
  { sync, force }: ImportListOptions,
): void {
  if (!sync || force || (proxies > 0 && broken === undefined)) return;
  const what = proxies === 0 ? 'has no readable proxy' : 'is incomplete, or a part of it is no list';
  const first = broken ?? refused[0];
  const where = first
    ? ` (${first.file === undefined ? '' : `${first.file}, `}line ${first.line}: ${first.reason})`
    : '';
  throw new ProxyVaultError(
    'INVALID_INPUT',
    `The list ${what}${where}, so a sync would remove what it should keep. Nothing was changed. Fix the list, or force the sync (--force).`,
  );
}

function toInput(
  { username = '', password = '', rotateUrl, ...listed }: ListedProxy,
  options: ImportListOptions,
): ProxyInput {
  const remoteDns = listed.remoteDns ?? (listed.protocol.startsWith('socks') ? options.remoteDns : undefined);
  const proxy = { ...listed, remoteDns };
  const isEmpty = username === '' && password === '' && rotateUrl === undefined;
  return isEmpty ? proxy : { ...proxy, credentials: { username, password, rotateUrl } };
}
