import type { ListedGeolocation } from '../types.ts';
import { readKnown, readNumber } from '../values.ts';
import { type Field, Fields, NO_FIELDS } from './fields.ts';

interface Located {
  geolocation: ListedGeolocation | undefined;
  notes: readonly string[];
}

const CODE = /^[a-z]{2}$/i;
const NO_CODE = 'the country was left out: it is not a two-letter code';

type Reader = (level: Fields, isRecord: boolean) => string | number | undefined;
const READERS: readonly (readonly [keyof ListedGeolocation, Reader])[] = [
  ['city', (level) => readKnown(namedIn(level.get('city')), 256)],
  // Beside the host, `region` is the pool's own label.
  [
    'region',
    (level, isRecord) =>
      readKnown(namedIn(level.get('area') ?? (isRecord ? null : level.get('region'))), 256),
  ],
  ['latitude', (level) => readNumber(level.get('latitude'), -90, 90)],
  ['longitude', (level) => readNumber(level.get('longitude'), -180, 180)],
  ['asn', (level) => readAsn(level.get('asn'))],
  ['timezone', (level) => readKnown(level.get('timezone'), 64)],
];
const NOWHERE: Located = { geolocation: undefined, notes: [] };
/** The fields of a record that say where the exit is. */
const PLACES: ReadonlySet<Field | null> = new Set<Field>([
  ...(['country', 'city', 'area', 'latitude', 'longitude', 'asn', 'timezone', 'nested'] as const),
]);

/**
 * Where the exit is, from members of the record itself or of one inside it, as `geolocation.country.iso_code` is. What is
 * unknown (`ZZ`, `Unknown`, nothing) is left out, and so, with a note, is what is no country code.
 */
export function readGeolocation(fields: Fields): Located {
  if (!fields.known.some(({ meaning }) => PLACES.has(meaning.field))) return NOWHERE;
  const levels = levelsOf(fields);
  const country = first(levels, readCountry);
  const code = country !== undefined && CODE.test(country) ? country.toUpperCase() : undefined;
  const geolocation: ListedGeolocation = {};
  if (code !== undefined) geolocation.country = code;
  let isKnown = code !== undefined;
  for (const [name, read] of READERS) {
    const value = first(levels, read);
    if (value === undefined) continue;
    isKnown = true;
    Object.assign(geolocation, { [name]: value });
  }
  return {
    geolocation: isKnown ? geolocation : undefined,
    notes: country !== undefined && code === undefined ? [NO_CODE] : [],
  };
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

function first<T>(
  levels: readonly Fields[],
  read: (level: Fields, isRecord: boolean) => T | undefined,
): T | undefined {
  for (const [index, level] of levels.entries()) {
    const value = read(level, index === 0);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** `13335`, `"AS13335"`, `"AS13335 Name"` or `{ autonomous_system_number: 13335 }`. */
function readAsn(value: unknown): number | undefined {
  const plain = typeof value === 'object' ? entriesOf(value).get('asn') : value;
  const text = typeof plain === 'string' ? /^(?:AS)?(\d{1,10})\b/i.exec(plain)?.[1] : plain;
  const asn = readNumber(text, 1, 4_294_967_295);
  return Number.isInteger(asn) ? asn : undefined;
}

/** A text, or that inside `{ iso_code }`, `{ code }`, `{ name }` or `{ names: { en } }`. */
function namedIn(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { iso_code, code, name, names } = value as Record<string, unknown>;
  const english =
    typeof names === 'object' && names !== null ? (names as Record<string, unknown>).en : undefined;
  return iso_code ?? code ?? name ?? english;
}

function entriesOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? new Fields(Object.entries(value)) : NO_FIELDS;
}
