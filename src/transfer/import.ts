import type { DatabaseManager, ProxyInput } from '../database/index.ts';
import { ImportMemory } from '../database/repositories/import-memory.ts';
import { Turns } from '../database/turns.ts';
import { ProxyVaultError } from '../errors.ts';
import { Spool } from '../files/spool.ts';
import { type ListedProxy, type ListSource, parseProxyList } from '../lists/index.ts';
import { invalidInput } from '../model/validation.ts';
import { assertImportOptions, type ImportListOptions, limitOf } from './import-options.ts';
import { type ImportResult, VerdictCounter } from './import-result.ts';
import { LineNumbers } from './line-numbers.ts';
import { ListStore } from './list-store.ts';
import { type List, listsOf, type NamedList } from './named-lists.ts';

const READ_STEP = 10_000;
const URL_LEFT_OUT =
  'the change-IP URL was not stored: without the password, several proxies may be meant, or the stored login cannot be read';

/**
 * Reads a list, or several as one, and stores its proxies in one transaction: all of it or, on an error or a crash, nothing. With a
 * vault, use `vault.import`.
 * The list is read to its end before the lock is taken; meanwhile the proxies are encrypted in a temporary file. Other work of
 * the event loop has its turn all the time. While proxies are stored, other writes wait, and those of this process are BUSY;
 * with a `batch` of at most 1000 they have their turn between two batches. A sync in batches that has a limit is first tried as a
 * whole, in a transaction that is rolled back, so that it can be stopped before it changes anything.
 *
 * @throws INVALID_INPUT for options outside their range; an invalid source, or a path (write `{ file: path }`); a list that is
 *   empty or has only comments; a sync with a list that is incomplete, or that would remove more than `maxRemove` (with
 *   `details.tag`, `of`, `leaving` and `removed`). BUSY;
 *   KEY_MISSING, KEY_MISMATCH; CANNOT_OPEN for a login if every user of this machine may write the pool; CLOSED; what the
 *   source throws. With `batch`, what was committed before stays.
 * @example
 * const encryption = new EncryptionService({ database: db });
 * const { added, refused } = await importProxies(db, { file: './proxies.txt' }, { encryption, tag: 'mine' });
 * for (const { line, reason } of refused) console.log(`line ${line}: ${reason}`);
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

function mayHoldCredentials(db: DatabaseManager): boolean {
  try {
    db.assertMayHoldCredentials();
    return true;
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    return false;
  }
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
  throw invalidInput(
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
