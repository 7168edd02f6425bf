import type { Params } from '../drivers/driver.ts';
import { NEXT_REVISION, type NewProxy } from './proxy-record.ts';

const INTO = `
  INSERT INTO proxies (
    id, name, host, port, protocol, status, latency, latency_ewma, failure_count, total_requests, success_rate,
    region, geolocation_json, remote_dns, weight, gateway, username_fingerprint, password_fingerprint, revision, created_at, updated_at
  ) VALUES `;

/** The values of a row. `own` gives the name of a column's parameter. */
function rowOf(id: string, revision: string, own: (column: keyof NewProxy) => string): string {
  const values = (columns: readonly (keyof NewProxy)[]): string =>
    columns.map((column) => `:${own(column)}`).join(', ');
  return `(
    ${id}, ${values(['name', 'host', 'port', 'protocol', 'status', 'latency', 'latency'])}, 0, 0, 100.0,
    ${values(['region', 'geolocation', 'remote_dns', 'weight', 'gateway'])}, :username_fingerprint, :password_fingerprint,
    ${revision}, :now, :now)`;
}

const at = (n: number | '' = ''): string =>
  `host = :host${n} AND port = :port${n} AND protocol = :protocol${n}`;

/** The id of a proxy with the same address and username, if there is one. */
const SAME_USER = `(SELECT id FROM proxies WHERE ${at()} AND username_fingerprint = :username_fingerprint LIMIT 1)`;

/** The id of a proxy at the same address whose username is not known, if there is one. */
const UNKNOWN_USER = `(SELECT id FROM proxies WHERE ${at()} AND username_fingerprint IS NULL LIMIT 1)`;

/** `id` is that of another proxy if there must be none of its kind, so that it conflicts: a SELECT with conditions takes longer. */
const insert = (id: string): string =>
  `${INTO}${rowOf(id, NEXT_REVISION, (column) => column)} ON CONFLICT DO NOTHING`;

/** Adds a proxy if its id and identity are free. The conflict names no columns, since both may be taken. */
export const INSERT_PROXY = insert(':id');

/** As `INSERT_PROXY`, if no proxy has its address and username. */
export const INSERT_FIRST_PROXY = insert(`coalesce(${SAME_USER}, :id)`);

/** As `INSERT_FIRST_PROXY`, if besides no proxy at its address has a username that is not known. */
export const INSERT_OTHER_PROXY = insert(`coalesce(${SAME_USER}, ${UNKNOWN_USER}, :id)`);

/** Statements that add several proxies without a login at once, which takes half the time of one for each. */
export interface BatchInsert {
  /** Gives `found`: 1 if `INSERT_OTHER_PROXY` would not add one of them, whatever their ids; and `revision`, the next one. */
  look: string;
  /** Adds those whose id and identity are free. */
  insert: string;
  /** The parameters of `look`. */
  placesOf: (rows: readonly NewProxy[]) => Params;
  /** The parameters of `insert`. */
  paramsOf: (rows: readonly NewProxy[], revision: number) => Params;
}

/** As many proxies as a batch adds. With more it is no faster. */
export const LARGEST_BATCH = 32;

type Column = keyof NewProxy;

const PLACE: readonly Column[] = ['host', 'port', 'protocol'];
const OWN: readonly Column[] = ['id', 'name', ...PLACE];
/** What most proxies leave out: if those of a batch are alike in it, it is one parameter for all of them. */
const OPTIONAL: readonly Column[] = [
  'status',
  'latency',
  'region',
  'geolocation',
  'remote_dns',
  'weight',
  'gateway',
];

const batches = new Map<string, BatchInsert>();

/** The batch for these proxies. */
export function batchOf(rows: readonly NewProxy[]): BatchInsert {
  const [first] = rows;
  const isAlike = rows.every((row) => OPTIONAL.every((column) => row[column] === first?.[column]));
  const name = `${rows.length} ${isAlike}`;
  const batch = batches.get(name) ?? makeBatch(rows.length, isAlike ? OWN : [...OWN, ...OPTIONAL]);
  batches.set(name, batch);
  return batch;
}

/** @param own the columns of which each row has its own parameter. */
function makeBatch(size: number, own: readonly Column[]): BatchInsert {
  const numbers = Array.from({ length: size }, (_, n) => n);
  const places = numbers.flatMap((n) => [
    `(${at(n)} AND username_fingerprint = :username_fingerprint)`,
    `(${at(n)} AND username_fingerprint IS NULL)`,
  ]);
  const values = numbers.map((n) =>
    rowOf(`:id${n}`, ':revision', (column) => (own.includes(column) ? `${column}${n}` : column)),
  );
  const placeNames = namesOf(PLACE, size);
  const ownNames = namesOf(own, size);
  return {
    look: `SELECT EXISTS (SELECT 1 FROM proxies WHERE ${places.join(' OR ')}) AS found, ${NEXT_REVISION} AS revision`,
    insert: `${INTO}${values.join(', ')} ON CONFLICT DO NOTHING`,
    placesOf: (rows) => fill({ username_fingerprint: '' }, rows, placeNames),
    paramsOf: (rows, revision) => {
      const { id, name, host, port, protocol, ...alike } = rows[0] as NewProxy;
      return fill({ ...alike, revision }, rows, ownNames);
    },
  };
}

type Names = readonly (readonly [column: Column, names: readonly string[]])[];

/** The names of the rows' own parameters: to make them for each batch takes longer than all the rest. */
function namesOf(columns: readonly Column[], size: number): Names {
  return columns.map((column) => [column, Array.from({ length: size }, (_, n) => `${column}${n}`)]);
}

function fill(params: Record<string, Params[string]>, rows: readonly NewProxy[], own: Names): Params {
  for (const [column, names] of own) {
    for (let n = 0; n < rows.length; n++) params[names[n] as string] = (rows[n] as NewProxy)[column];
  }
  return params;
}
