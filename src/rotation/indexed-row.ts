import type { Row, SqlValue } from '../database/drivers/driver.ts';
import { defaultName, PROXIES } from '../database/repositories/proxy-record.ts';
import type { Cooldown } from '../model/cooldown.ts';
import { geolocationSchema } from '../model/geolocation.ts';
import type { IndexedProxy } from './pool-index.ts';
import { remembered } from './remembered.ts';

/** What the index needs of a row. @throws INVALID_ROW for a row that holds no valid proxy. */
export function toIndexed(
  row: Row,
  tags: readonly SqlValue[],
  cooldowns: readonly Cooldown[],
  weights: ReadonlyMap<string, number>,
): IndexedProxy {
  const { read } = PROXIES;
  const id = read.id(row.id, row);
  const host = read.host(row.host, row);
  const port = read.port(row.port, row);
  const name = read.name(row.name, row);
  const successRate = read.success_rate(row.success_rate, row);
  const totalRequests = read.total_requests(row.total_requests, row);
  return {
    id,
    name: name === defaultName({ host, port }) ? null : name,
    protocol: read.protocol(row.protocol, row),
    host,
    port,
    status: read.status(row.status, row),
    region: read.region(row.region, row),
    country: row.geolocation_json === null ? null : countryIn(row),
    remoteDns: read.remote_dns(row.remote_dns, row) === 1,
    tags: tags.map(String),
    weight: weights.get(id) ?? read.weight(row.weight, row),
    latency: read.latency(row.latency, row),
    successRate,
    failureCount: read.failure_count(row.failure_count, row),
    handOuts: read.hand_outs(row.hand_outs, row) ?? totalRequests,
    gateway: read.gateway(row.gateway, row) === 1,
    isProven: totalRequests > 0 && successRate > 0,
    cooldowns,
  };
}

/** Many proxies are in the same place. */
function countryIn(row: Row): string | null {
  const known = typeof row.geolocation_json === 'string' ? COUNTRIES(row.geolocation_json) : undefined;
  if (known !== undefined) return known === '' ? null : known;
  const { country } = PROXIES.json(row, 'geolocation_json', geolocationSchema);
  return country?.toUpperCase() ?? null;
}

/** The country in a stored geolocation: '' if it has none, undefined if it is malformed. */
const COUNTRIES = remembered((json: string): string | undefined => {
  try {
    const { data } = geolocationSchema.safeParse(JSON.parse(json));
    return data === undefined ? undefined : (data.country?.toUpperCase() ?? '');
  } catch {
    return undefined;
  }
});
