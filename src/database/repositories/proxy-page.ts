import { z } from 'zod';
import type { ProxyVaultError } from '../../errors.ts';
import {
  PROXY_SORT_FIELDS,
  type ProxyConfig,
  type ProxyFilter,
  type ProxySort,
  type ProxySortField,
} from '../../model/proxy.ts';
import { assertId, assertObject, assertPageSize, invalidInput } from '../../model/validation.ts';
import type { Params, Row } from '../drivers/driver.ts';
import type { Conditions } from './conditions.ts';
import { conditionsOf } from './proxy-filter.ts';
import { PROXIES } from './proxy-record.ts';
import { assertAfter, outOfOrder } from './skipped-rows.ts';

/** The column of each order but that by id. */
const COLUMNS = {
  name: 'name',
  host: 'host',
  latency: 'latency',
  successRate: 'success_rate',
  totalRequests: 'total_requests',
  lastUsedAt: 'last_used_at',
  createdAt: 'created_at',
} as const satisfies Record<Exclude<ProxySortField, 'id'>, string>;

export interface ProxyListing extends ProxyFilter {
  /** 1 to 10,000; 100 unless given. */
  limit?: number | undefined;
  /** The `next` of the page before, with the same `sort`. In the orders by id it is an id, and any text will do but the `next` of another order. */
  after?: string | undefined;
  /**
   * `id` unless given. A proxy without the value, such as one that was never used, comes last in both directions; proxies with
   * the same value come by id. Texts are compared by their bytes. Each page of any order but that by id looks at every
   * proxy of the filter.
   */
  sort?: ProxySort | undefined;
}

export interface ProxyPage {
  items: ProxyConfig[];
  /** The `after` of the next page; null on the last. */
  next: string | null;
}

/** Where a page ended: the value by which it was sorted, and the id. */
interface Place {
  value: string | number | null;
  id: string;
}

/** An integer beyond 2^53 is no value of a sound row, and JSON would have another one. */
const exactNumber = z.number().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const cursorSchema = z.tuple([z.string(), z.union([z.string(), exactNumber, z.null()]), z.string()]);

/** One page of a listing, as a statement and how to make `next` of the rows that it gives. */
export interface PageQuery {
  sql: string;
  params: Params;
  limit: number;
  /** The `after` of the next page, if it may begin after this row. @throws CORRUPT if the rows are not in order. */
  nextAfter: (row: Row) => string | null;
}

/** @param now the time, as it is stored. @throws INVALID_INPUT, also for an `after` of another order. */
export function pageQuery(listing: ProxyListing, now: string): PageQuery {
  const { limit = 100, after = '', sort = 'id', ...filter } = assertObject(listing, 'listing');
  assertPageSize(limit);
  assertId(after, 'after');
  const [field, isDescending] = readSort(sort);
  const conditions = conditionsOf(filter, now);
  if (field === 'id') {
    // As an id it would be of a place somewhere else.
    if (parseCursor(after) !== undefined) throw otherOrder(sort);
    return byId(conditions, { after, limit, isDescending });
  }
  const column = COLUMNS[field];
  const from = after === '' ? null : readCursor(after, sort);
  if (from?.value === null) {
    conditions.add(`(${column} IS NULL AND id > :after)`, { after: from.id });
  } else if (from) {
    conditions.add(
      `(${column} ${isDescending ? '<' : '>'} :from OR (${column} = :from AND id > :after) OR ${column} IS NULL)`,
      { from: from.value, after: from.id },
    );
  }
  const direction = isDescending ? 'DESC NULLS LAST' : 'NULLS LAST';
  return {
    sql: `SELECT * FROM proxies ${conditions.where} ORDER BY ${column} ${direction}, id LIMIT :most`,
    params: { ...conditions.params, most: limit + 1 },
    limit,
    nextAfter: (row) => {
      const last = placeOf(row, column);
      if (from && !comesAfter(last, from, isDescending)) throw outOfOrder('proxies');
      return writeCursor(sort, last);
    },
  };
}

function byId(
  conditions: Conditions,
  { after, limit, isDescending }: { after: string; limit: number; isDescending: boolean },
): PageQuery {
  if (!isDescending) conditions.add('id > :after', { after });
  else if (after !== '') conditions.add('id < :after', { after });
  return {
    sql: `SELECT * FROM proxies ${conditions.where} ORDER BY id ${isDescending ? 'DESC' : ''} LIMIT :most`,
    params: { ...conditions.params, most: limit + 1 },
    limit,
    nextAfter: ({ id }) => {
      // What sorts after an id that is no text is malformed too.
      if (typeof id !== 'string') return null;
      if (!isDescending) assertAfter('proxies', after, id);
      else if (after !== '') assertAfter('proxies', id, after);
      return id;
    },
  };
}

function readSort(sort: string): [field: ProxySortField, isDescending: boolean] {
  const field = PROXY_SORT_FIELDS.find((each) => sort === each || sort === `-${each}`);
  if (field !== undefined) return [field, sort.startsWith('-')];
  throw invalidInput(
    `sort must be one of ${PROXY_SORT_FIELDS.join(', ')}, with a - before it to begin with the highest.`,
  );
}

function writeCursor(sort: string, { value, id }: Place): string {
  return Buffer.from(JSON.stringify([sort, value, id])).toString('base64url');
}

function readCursor(after: string, sort: string): Place {
  const cursor = parseCursor(after);
  if (cursor?.[0] === sort) return { value: cursor[1], id: cursor[2] };
  throw otherOrder(sort);
}

/** Undefined for any other text. */
function parseCursor(after: string): z.infer<typeof cursorSchema> | undefined {
  try {
    return cursorSchema.safeParse(JSON.parse(Buffer.from(after, 'base64url').toString())).data;
  } catch {
    return undefined;
  }
}

function otherOrder(sort: string): ProxyVaultError {
  return invalidInput(
    `after must be the next of a page that was sorted by ${sort} too. Leave it out to begin with the first page.`,
  );
}

/** @throws INVALID_ROW for a row after which no page can begin. */
function placeOf(row: Row, column: (typeof COLUMNS)[keyof typeof COLUMNS]): Place {
  const value = row[column] ?? null;
  const id = row.id;
  if (typeof id !== 'string') return PROXIES.refuse(row, 'id');
  if (typeof value === 'string' || value === null) return { value, id };
  return exactNumber.safeParse(value).success ? { value: Number(value), id } : PROXIES.refuse(row, column);
}

/** Whether a place comes after another one: without a value last, numbers before texts, texts by their bytes, and ties by id. */
function comesAfter(one: Place, other: Place, isDescending: boolean): boolean {
  if (one.value === null || other.value === null) {
    return one.value === other.value ? isGreater(one.id, other.id) : one.value === null;
  }
  if (one.value === other.value) return isGreater(one.id, other.id);
  return isDescending ? isGreater(other.value, one.value) : isGreater(one.value, other.value);
}

function isGreater(one: string | number, other: string | number): boolean {
  if (typeof one === 'number') return typeof other === 'number' && one > other;
  return typeof other === 'number' || Buffer.compare(Buffer.from(one), Buffer.from(other)) > 0;
}
