import { ProxyVaultError } from '../../errors.ts';
import {
  type Mode,
  type Params,
  type Result,
  type Row,
  type Session,
  type SqlValue,
  type Steps,
  step,
} from '../drivers/driver.ts';
import type { StatusCounts } from './proxy-counts.ts';

/** Hears of each malformed row that a list, a stream or rotation leaves out; the error's `details` name the row. */
export type OnInvalidRow = (error: ProxyVaultError) => void;

type Listener = Pick<Session<Mode>, 'onInvalidRow'>;

/** How many rows are warned about; one damaged page can hold thousands. */
const MOST_WARNINGS = 100;

/** Reads a row of many: a malformed one is reported and left out, since it must not take the others with it. */
export function skipMalformed<T>(
  session: Listener,
  map: (row: Row) => T | undefined,
): (row: Row) => T | undefined {
  return (row) => {
    try {
      return map(row);
    } catch (error) {
      reportInvalidRow(session, error);
      return undefined;
    }
  };
}

/** How many rows are read at once at first, and at most, while malformed ones are passed. */
const FIRST_STEP = 64;
const LARGEST_STEP = 65_536;

/**
 * The first row that is not malformed, mapped, or null. Reads one row, and the following ones only if that is malformed.
 *
 * @param queries tried in turn, each with `LIMIT :limit OFFSET :skip`; `skip` rows of the first are passed.
 * @param map gives undefined for a row that is to be passed too.
 */
export function firstReadable<M extends Mode, T>(
  session: Session<M>,
  queries: readonly string[],
  params: Params,
  map: (row: Row) => T | undefined,
  skip = 0,
): Result<M, T | null> {
  return session.driver.sequence(function* (): Steps<M, T | null> {
    for (const [index, query] of queries.entries()) {
      const passed = index === 0 ? skip : 0;
      const [first] = yield* pageOf(session, query, { params, limit: 1, skip: passed }, map);
      if (first !== undefined) return first;
    }
    return null;
  });
}

/**
 * A page of readable rows after the row with the key `after`, empty only if none is left, so that a loop over pages may end.
 * @throws CORRUPT if the rows are not in order.
 */
export function readablePage<M extends Mode, T>(
  session: Session<M>,
  { table, query, keyOf }: { table: string; query: string; keyOf: (item: T) => string },
  params: Params & { limit: number; after: string },
  map: (row: Row) => T,
): Result<M, T[]> {
  const { limit, after } = params;
  return session.driver.sequence(function* (): Steps<M, T[]> {
    const page = yield* pageOf(session, query, { params, limit, skip: 0 }, map);
    const last = page.at(-1);
    if (last !== undefined) assertAfter(table, after, keyOf(last));
    return page;
  });
}

/**
 * For reading page after page: in a damaged table or index a page may not come after the one before, and reading on would
 * never end. @throws CORRUPT.
 */
export function assertAfter(table: string, after: string, last: string): void {
  // SQLite compares texts by their bytes.
  if (Buffer.compare(Buffer.from(last), Buffer.from(after)) <= 0) throw outOfOrder(table);
}

export function outOfOrder(table: string): ProxyVaultError {
  return new ProxyVaultError(
    'CORRUPT',
    `The rows of ${table} are not in the order of their keys: the database file is damaged. Restore a backup, or run \`proxyvault check\`.`,
    { details: { table } },
  );
}

/**
 * At most `limit` readable rows. Each read that finds malformed rows only is followed by one of twice as many rows: skipping
 * takes time too, and all reads together take about as long as one.
 */
function* pageOf<M extends Mode, T>(
  session: Session<M>,
  query: string,
  { params, limit, skip: passed }: { params: Params; limit: number; skip: number },
  map: (row: Row) => T | undefined,
): Steps<M, T[]> {
  const read = skipMalformed(session, map);
  let size = limit;
  let skip = passed;
  for (;;) {
    let rows = 0;
    let found = 0;
    const readSome = (row: Row): T | undefined => {
      rows++;
      // The next page begins here, and reports what is malformed from here on.
      if (found === limit) return undefined;
      const value = read(row);
      if (value !== undefined) found++;
      return value;
    };
    const page = yield* step(session.driver.all(query, { ...params, limit: size, skip }, readSome));
    if (page.length > 0 || rows < size) return page;
    skip += size;
    size = Math.max(size, Math.min(Math.max(2 * size, FIRST_STEP), LARGEST_STEP));
  }
}

/** Tells of a row that is left out; anything but INVALID_ROW is thrown. */
export function reportInvalidRow({ onInvalidRow = warnOfInvalidRow }: Listener, error: unknown): void {
  if (!(error instanceof ProxyVaultError && error.code === 'INVALID_ROW')) throw error;
  onInvalidRow(error);
}

/** Makes a process warning of each malformed row, once. */
export function invalidRowWarnings(): OnInvalidRow {
  const warned = new Set<string>();
  return (error) => {
    const { table, id, column } = error.details;
    const row = JSON.stringify([table, id, column]);
    if (warned.has(row) || warned.size >= MOST_WARNINGS) return;
    warned.add(row);
    warnOfInvalidRow(error);
  };
}

function warnOfInvalidRow(error: ProxyVaultError): void {
  process.emitWarning(`${error.message} It was left out.`, {
    type: 'ProxyVaultWarning',
    code: 'PROXYVAULT_INVALID_ROW',
  });
}

/**
 * Reports malformed rows that a count or a sum leaves out. It does not know them: the error names the table, and with `of` the day or
 * the proxy of a sum.
 */
export function reportUncounted(
  session: Listener,
  { table, rows, of }: { table: string; rows: number; of?: SqlValue | undefined },
): void {
  const id = typeof of === 'string' ? of : null;
  const error = new ProxyVaultError(
    'INVALID_ROW',
    `Malformed rows of ${table}${id === null ? '' : ` of ${id}`}, which are not counted: ${rows}. \`proxyvault check\` names them.`,
    { details: { table, id, rows } },
  );
  reportInvalidRow(session, error);
}

/** Reports proxies of a malformed status, which only their total counts. */
export function reportUnknownStatuses(
  session: Listener,
  { total, active, failed, checking, disabled }: StatusCounts,
): void {
  const rows = total - (active + failed + checking + disabled);
  if (rows > 0) reportUncounted(session, { table: 'proxies', rows });
}
