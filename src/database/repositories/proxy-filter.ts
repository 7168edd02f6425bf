import { type ProxyFilter, type ProxyState, proxyFilterSchema } from '../../model/proxy.ts';
import { parse } from '../../model/validation.ts';
import { Conditions } from './conditions.ts';

/** The conditions of each state. A cooldown without an end lasts. */
const STATES: Readonly<Record<ProxyState, string>> = {
  ready: `(status = 'active' OR (status = 'failed' AND id IN (
      SELECT proxy_id FROM proxy_cooldowns WHERE scope = '' AND source = 'engine')))
    AND id NOT IN (SELECT proxy_id FROM proxy_cooldowns WHERE scope = '' AND coalesce(until, '9999') > :now)`,
  cooling: `id IN (SELECT proxy_id FROM proxy_cooldowns WHERE coalesce(until, '9999') > :now)`,
  probing: `id IN (SELECT proxy_id FROM proxy_cooldowns WHERE until <= :now)`,
};

/** The conditions of a filter. @param now the time, as it is stored. @throws INVALID_INPUT, which names each wrong field. */
export function conditionsOf(filter: ProxyFilter, now: string): Conditions {
  const { status, protocol, region, search, tag, country, state } = parse(
    proxyFilterSchema,
    filter,
    'filter',
  );
  const conditions = new Conditions();
  if (status !== undefined) conditions.add('status = :status', { status });
  if (protocol !== undefined) conditions.add('protocol = :protocol', { protocol });
  if (region !== undefined) conditions.add('region = :region', { region });
  if (state !== undefined) conditions.add(STATES[state], { now });
  if (tag !== undefined) conditions.add('id IN (SELECT proxy_id FROM proxy_tags WHERE tag = :tag)', { tag });
  if (search !== undefined) {
    // Only in lower case do all engines compare without regard to case.
    conditions.add(`(lower(name) LIKE lower(:search) ESCAPE '\\' OR host LIKE lower(:search) ESCAPE '\\')`, {
      search: `%${search.replaceAll(/[\\%_]/g, '\\$&')}%`,
    });
  }
  if (country !== undefined) {
    // Functions of JSON differ between engines. Inside a text of the JSON a quote is escaped, so this finds the member alone.
    // Other programs write a space after the colon.
    conditions.add(
      `(lower(geolocation_json) LIKE lower(:country) OR lower(geolocation_json) LIKE lower(:spaced_country))`,
      { country: `%"country":"${country}"%`, spaced_country: `%"country": "${country}"%` },
    );
  }
  return conditions;
}
