import { type Geolocation, MAX_ASN, MAX_PLACE, MAX_TIME_ZONE } from '../../model/geolocation.ts';
import type { Field } from './field-names.ts';
import { Fields, NO_FIELDS } from './fields.ts';
import { isKnown, isObject, readKnown, readNumber } from './values.ts';

const CODE = /^[a-z]{2}$/i;
const NO_CODE = 'the country was left out: it is not a two-letter code';

/** Why something is left out. */
interface LeftOut {
  note: string;
}
/** What a level says of one thing. */
type Reader = (level: Fields, isRecord: boolean) => string | number | LeftOut | undefined;
const READERS: readonly (readonly [keyof Geolocation, Reader])[] = [
  ['city', (level) => readPlace('city', level.get('city'), MAX_PLACE)],
  ['region', readRegion],
  ['latitude', (level) => readNumber(level.get('latitude'), -90, 90)],
  ['longitude', (level) => readNumber(level.get('longitude'), -180, 180)],
  ['asn', (level) => readAsn(level.get('asn'))],
  ['timezone', (level) => readPlace('time zone', level.get('timezone'), MAX_TIME_ZONE)],
];
/** The fields of a record that say where the exit is. */
export const PLACES: ReadonlySet<Field | null> = new Set<Field>([
  ...(['country', 'city', 'area', 'latitude', 'longitude', 'asn', 'timezone', 'nested'] as const),
]);

/**
 * Where the exit is, from members of the record or of an object in it, such as `geolocation.country.iso_code`. What is unknown
 * (`ZZ`, `Unknown`) is left out, and, with a note, a country that is no code and a text that is too long.
 */
export function readGeolocation(fields: Fields): { geolocation: Geolocation | undefined; notes: string[] } {
  if (!fields.known.some(({ meaning }) => PLACES.has(meaning.field)))
    return { geolocation: undefined, notes: [] };
  const levels = levelsOf(fields);
  const country = first(levels, readCountry);
  const code = country !== undefined && CODE.test(country) ? country.toUpperCase() : undefined;
  const geolocation: Geolocation = {};
  if (code !== undefined) geolocation.country = code;
  const notes = country !== undefined && code === undefined ? [NO_CODE] : [];
  for (const [name, read] of READERS) {
    const value = first(levels, read);
    if (value === undefined) continue;
    if (typeof value === 'object') notes.push(value.note);
    else Object.assign(geolocation, { [name]: value });
  }
  return { geolocation: Object.keys(geolocation).length > 0 ? geolocation : undefined, notes };
}

/** A place as an import reads it, without what is unknown; undefined if nothing is left. */
export function knownGeolocation(geolocation: Geolocation): Geolocation | undefined {
  return readGeolocation(new Fields([['geolocation', geolocation]])).geolocation;
}

/** The country code of a record that may have the name of the country too; the name if there is no code. */
function readCountry(level: Fields): string | undefined {
  const best = readKnown(namedIn(level.get('country')), 64);
  if (best === undefined || CODE.test(best)) return best;
  const all = level.all('country').map(({ value }) => readKnown(namedIn(value), 64));
  return all.find((each) => each !== undefined && CODE.test(each)) ?? best;
}

/** The record, the object in it that says where it is, and the `location` in that one, which may have the coordinates. */
function levelsOf(fields: Fields): Fields[] {
  if (!fields.has('nested')) return [fields];
  const inside = entriesOf(fields.get('nested'));
  return [fields, inside, entriesOf(inside.get('nested'))];
}

/** The first value of a level; why it was left out only if no other level has one. */
function first<T>(
  levels: readonly Fields[],
  read: (level: Fields, isRecord: boolean) => T | undefined,
): T | undefined {
  const values = levels
    .map((level, index) => read(level, index === 0))
    .filter((value) => value !== undefined);
  return values.find((value) => typeof value !== 'object') ?? values[0];
}

function readPlace(what: string, value: unknown, most: number): string | LeftOut | undefined {
  const named = namedIn(value);
  const text = readKnown(named, most);
  if (text !== undefined || typeof named !== 'string' || !isKnown(named)) return text;
  return { note: `the ${what} was left out: it is not a printable text of up to ${most} characters` };
}

/** Beside the host, `region` is the pool's own label. */
function readRegion(level: Fields, isRecord: boolean): string | LeftOut | undefined {
  const region = level.get('area') ?? (isRecord ? null : level.get('region'));
  return readPlace('region of the exit', region, MAX_PLACE);
}

/** AS 0 is reserved (RFC 7607) and means that it is not known. Else `13335`, `"AS13335"`, `"AS13335 Name"` or `{ autonomous_system_number: 13335 }`. */
function readAsn(value: unknown): number | undefined {
  const plain = typeof value === 'object' ? entriesOf(value).get('asn') : value;
  const text = typeof plain === 'string' ? /^(?:AS)?(\d{1,10})\b/i.exec(plain)?.[1] : plain;
  const asn = readNumber(text, 1, MAX_ASN);
  return Number.isInteger(asn) ? asn : undefined;
}

/** A text, or that inside `{ iso_code }`, `{ code }`, `{ name }` or `{ names: { en } }`. */
function namedIn(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { iso_code, code, name, names } = value;
  return iso_code ?? code ?? name ?? (isObject(names) ? names.en : undefined);
}

function entriesOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? new Fields(Object.entries(value)) : NO_FIELDS;
}
