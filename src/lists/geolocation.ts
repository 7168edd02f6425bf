import { Fields } from './fields.ts';
import type { ListedGeolocation } from './types.ts';
import { readKnown, readNumber } from './values.ts';

interface Located {
  geolocation: ListedGeolocation | undefined;
  notes: string[];
}

/**
 * Where the exit is, from members of the record itself or of one inside it, as `geolocation.country.iso_code` is. What is
 * unknown (`ZZ`, `Unknown`, nothing) is left out, and so, with a note, is what is no country code.
 */
export function readGeolocation(fields: Fields): Located {
  const inside = entriesOf(fields.get('nested'));
  // The coordinates may be one further in, under `location`.
  const levels = [fields, inside, entriesOf(inside.get('nested'))];
  const find = <T>(read: (fields: Fields) => T | undefined): T | undefined => {
    for (const level of levels) {
      const value = read(level);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const country = find((level) => readKnown(namedIn(level.get('country')), 64));
  const code = country !== undefined && /^[a-z]{2}$/i.test(country) ? country.toUpperCase() : undefined;
  const all: ListedGeolocation = {
    country: code,
    city: find((level) => readKnown(namedIn(level.get('city')), 256)),
    // Beside the host, `region` is the pool's own label.
    region: find((level) =>
      readKnown(namedIn(level.get('area') ?? (level === fields ? null : level.get('region'))), 256),
    ),
    latitude: find((level) => readNumber(level.get('latitude'), -90, 90)),
    longitude: find((level) => readNumber(level.get('longitude'), -180, 180)),
    asn: find((level) => readAsn(level.get('asn'))),
    timezone: find((level) => readKnown(level.get('timezone'), 64)),
  };
  const known = Object.entries(all).filter(([, value]) => value !== undefined);
  return {
    geolocation: known.length === 0 ? undefined : Object.fromEntries(known),
    notes:
      country !== undefined && code === undefined
        ? ['the country was left out: it is not a two-letter code']
        : [],
  };
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
  return new Fields(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}
