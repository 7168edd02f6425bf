/** What a column or member of a record may stand for. */
export type Field =
  | 'host'
  | 'port'
  | 'url'
  | 'protocol'
  | 'username'
  | 'password'
  | 'name'
  | 'region'
  | 'status'
  | 'country'
  | 'city'
  | 'area'
  | 'latitude'
  | 'longitude'
  | 'asn'
  | 'timezone'
  | 'latency'
  | 'timeout'
  | 'tls'
  | 'remoteDns'
  | 'rotateUrl'
  | 'nested';

/** The names that lists and providers use, without case, spaces and punctuation; the best first. */
const NAMES: Record<Field, readonly string[]> = {
  host: [
    'host',
    'hostname',
    'ip',
    'ipaddress',
    'address',
    'addr',
    'proxyaddress',
    'proxyhost',
    'proxyip',
    'server',
    'hostip',
  ],
  port: ['port', 'proxyport', 'serverport'],
  url: ['proxy', 'url', 'proxyurl', 'uri'],
  protocol: ['protocol', 'protocols', 'scheme', 'proxytype', 'type'],
  username: ['username', 'user', 'login', 'proxyusername', 'proxyuser'],
  password: ['password', 'pass', 'proxypassword', 'proxypass', 'pwd'],
  name: ['name', 'title', 'label', 'remarks'],
  region: ['region'],
  status: ['status'],
  country: ['countrycode', 'countryisocode', 'isocode', 'country', 'code', 'cc'],
  city: ['city', 'cityname'],
  area: ['regionname', 'state', 'georegion'],
  latitude: ['latitude', 'lat'],
  longitude: ['longitude', 'lon', 'lng'],
  asn: ['asn', 'autonomoussystemnumber', 'as'],
  timezone: ['timezone'],
  latency: ['latency', 'latencyms', 'responsetime', 'responsetimems', 'avgresponsetime', 'ping'],
  timeout: ['timeout'],
  tls: ['tls'],
  remoteDns: ['remotedns'],
  rotateUrl: ['rotateurl'],
  nested: ['geolocation', 'geo', 'geoip', 'ipdata', 'location'],
};

const FIELDS: ReadonlyMap<string, { field: Field; rank: number }> = new Map(
  Object.entries(NAMES).flatMap(([field, names]) =>
    names.map((name, rank) => [name, { field: field as Field, rank }] as const),
  ),
);

/** What a name stands for, or null. */
export function fieldOf(name: string): Field | null {
  return find(name)?.field ?? null;
}

/** The values of a record by what they stand for. Of two names of one field the better one counts, if it has a value. */
export function fieldsOf(entries: Iterable<readonly [string, unknown]>): Map<Field, unknown> {
  const values = new Map<Field, unknown>();
  const ranks = new Map<Field, number>();
  for (const [name, value] of entries) {
    const found = find(name);
    if (!found || value === null || value === undefined || value === '') continue;
    if (found.rank >= (ranks.get(found.field) ?? Number.POSITIVE_INFINITY)) continue;
    values.set(found.field, value);
    ranks.set(found.field, found.rank);
  }
  return values;
}

function find(name: string): { field: Field; rank: number } | undefined {
  return FIELDS.get(name.length > 40 ? '' : name.toLowerCase().replace(/[^a-z\d]/g, ''));
}
