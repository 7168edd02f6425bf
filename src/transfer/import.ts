import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { newId } from '../database/ids.ts';
import type { DatabaseManager, ProxyInput, Session, Steps } from '../database/index.ts';
import { patiently } from '../database/patience.ts';
import {
  EncryptedCredentialsRepository,
  type ImportSummary,
  ProxyRepository,
} from '../database/repositories/index.ts';
import { EncryptionService } from '../database/services/index.ts';
import { Turns } from '../database/turns.ts';
import { ProxyVaultError } from '../errors.ts';
import {
  LIST_FORMATS,
  type ListedProxy,
  type ListSource,
  type ParseOptions,
  parseProxyList,
} from '../lists/index.ts';
import { type ImportResult, type Refusal, VerdictCounter } from './import-result.ts';
import { LineNumbers } from './line-numbers.ts';
import { type List, listsOf, type NamedList } from './named-lists.ts';
import { Spool } from './spool.ts';

/** How far an import is: first it reads lines, then it stores proxies, of which there are `total` by then. */
export type ImportProgress =
  | { phase: 'reading'; done: number }
  | { phase: 'storing'; done: number; total: number };

export interface ImportListOptions extends ParseOptions {
  /** Needed if the list has credentials. */
  encryption?: EncryptionService | undefined;
  /** A tag for each proxy of the list. */
  tag?: string | undefined;
  /**
   * Make the pool equal to the list for this tag: take the tag from proxies that are not in the list, and remove those that
   * have no other tag. Statistics of what stays are kept. Needs `tag`.
   */
  sync?: boolean | undefined;
  /** Sync also with a list that has no readable proxy, is no list, or ends in its middle. */
  force?: boolean | undefined;
  /** Say what would be done and change nothing. */
  dryRun?: boolean | undefined;
  /** Commit after each so many proxies, in place of all at once: what was stored survives, and a repeat completes it. */
  batch?: number | undefined;
  onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Called with each refusal. */
  onRefused?: ((refusal: Refusal) => void) | undefined;
}

const READ_STEP = 10_000;

/** What is stored in one go, since it takes no longer than a turn of the event loop may. */
const SMALL_BATCH = 1000;

/**
 * Reads a list, or several as one, and stores its proxies in one transaction: all of it or, on an error or a crash, nothing.
 * The list is read to its end before the lock is taken; meanwhile the proxies lie encrypted in a temporary file. Other work of
 * the event loop has its turn all the time. While proxies are stored, other writes wait, and those of this process are BUSY;
 * with a `batch` of at most 1000 they have their turn between two batches.
 *
 * @throws INVALID_INPUT for options outside their range, a source that is none or a path (write `{ file: path }`), or a sync with a list that is empty or incomplete; BUSY;
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
  const store = new ListStore(db, options, lines);
  const { batch = 0, dryRun = false } = options;
  // Batches would stay stored if a later one has a login that the pool may not hold: then all is read first.
  const isBatched = batch > 0 && !dryRun && mayHoldCredentials(db);
  using spool = new Spool<ProxyInput>();
  let waiting: ProxyInput[] = [];
  for await (const proxy of readLists(lists, options, counter, lines)) {
    if (!isBatched) spool.push(proxy);
    else if (waiting.push(proxy) === batch) {
      await store.add(waiting);
      waiting = [];
    }
  }
  assertSyncable(counter, options);
  await store.addLast(isBatched ? waiting : spool.read(), isBatched ? waiting.length : spool.count);
  const result = counter.result(store.summary);
  return dryRun ? { ...result, dryRun } : result;
}

/** The proxies of all lists, one after the other; the counter is told of every line. */
async function* readLists(
  lists: readonly List[],
  options: ImportListOptions,
  counter: VerdictCounter,
  lines: LineNumbers,
): AsyncGenerator<ProxyInput, void, undefined> {
  const { protocol, format, onProgress } = options;
  const turns = new Turns();
  for (const list of lists) {
    for await (const verdict of parseProxyList(list.source, { protocol, format })) {
      counter.add(verdict, list.name);
      if (counter.lines % READ_STEP === 0) onProgress?.({ phase: 'reading', done: counter.lines });
      if (verdict.kind === 'proxy') {
        lines.add(list.name, verdict.line);
        yield toInput(verdict.proxy);
      }
      const turn = turns.next();
      if (turn) await turn;
    }
  }
}

/** Ends the transaction of a dry run. */
const UNDONE = new Error('rolled back');

/** What one transaction of an import stores. */
interface Batch {
  proxies: Iterable<ProxyInput>;
  count: number;
  /** In a sync, take away what left the list. */
  removeOthers: boolean;
}

/** Stores the proxies of one import. */
class ListStore {
  readonly summary: ImportSummary = { added: 0, updated: 0, unchanged: 0 };
  readonly #db: DatabaseManager;
  readonly #options: ImportListOptions;
  readonly #encryption: EncryptionService | undefined;
  readonly #importId = newId();
  readonly #lines: LineNumbers;
  #done = 0;

  constructor(db: DatabaseManager, options: ImportListOptions, lines: LineNumbers) {
    this.#db = db;
    this.#lines = lines;
    this.#options = options;
    this.#encryption = options.dryRun ? keyForDryRun(db, options.encryption) : options.encryption;
  }

  /** Stores a batch, and lets others have their turn before the next. */
  async add(proxies: readonly ProxyInput[]): Promise<void> {
    await this.#store({ proxies, count: proxies.length, removeOthers: false });
    await nextTurn();
  }

  /** Adds the last ones, of which there are `count`, and in a sync removes what left the list in the same transaction. */
  addLast(proxies: Iterable<ProxyInput>, count: number): Promise<void> {
    return this.#store({ proxies, count, removeOthers: this.#options.sync === true });
  }

  async #store(batch: Batch): Promise<void> {
    const before = this.#done;
    const steps = (session: Session<'sync'>): Steps<'sync', void> => this.#steps(session, batch);
    try {
      if (batch.count > SMALL_BATCH || batch.removeOthers) await this.#db.longTransaction(steps);
      else await patiently(() => this.#db.driver.transaction(() => steps(this.#db)));
    } catch (error) {
      // An error that is about one proxy names its line.
      if (error !== UNDONE) throw this.#lines.locate(error, before);
    }
  }

  *#steps(session: Session<'sync'>, { proxies, count, removeOthers }: Batch): Steps<'sync', void> {
    const { tag, onProgress, dryRun } = this.#options;
    const before = this.#done;
    const { removed, ...counts } = yield* new ProxyRepository(session, this.#encryption).importSteps(
      proxies,
      {
        tag: tag === undefined ? undefined : { name: tag, importId: this.#importId, removeOthers },
        onProgress: (done) => {
          this.#done = before + done;
          onProgress?.({ phase: 'storing', done: this.#done, total: Math.max(before + count, this.#done) });
        },
      },
    );
    for (const name of ['added', 'updated', 'unchanged'] as const) this.summary[name] += counts[name];
    if (removed !== undefined) this.summary.removed = removed;
    if (dryRun) throw UNDONE;
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

function assertImportOptions({ tag, sync, batch = 1, format = 'auto' }: ImportListOptions): void {
  if (sync && tag === undefined)
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'A sync needs a tag: it removes what left the list of that tag.',
    );
  if (!Number.isSafeInteger(batch) || batch < 1)
    throw new ProxyVaultError('INVALID_INPUT', 'batch must be a whole number from 1.');
  if (!LIST_FORMATS.includes(format))
    throw new ProxyVaultError('INVALID_INPUT', `format must be one of ${LIST_FORMATS.join(', ')}.`);
}

function assertSyncable({ proxies, isIncomplete }: VerdictCounter, { sync, force }: ImportListOptions): void {
  if (!sync || force || (proxies > 0 && !isIncomplete)) return;
  const what = proxies === 0 ? 'has no readable proxy' : 'is incomplete, or a part of it is no list';
  throw new ProxyVaultError(
    'INVALID_INPUT',
    `The list ${what}, so a sync would remove what it should keep: mend the list, or force it. Nothing was removed.`,
  );
}

function toInput({ username = '', password = '', ...proxy }: ListedProxy): ProxyInput {
  return username === '' && password === '' ? proxy : { ...proxy, credentials: { username, password } };
}
