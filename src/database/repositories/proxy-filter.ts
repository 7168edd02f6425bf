import { type ProxyFilter, proxyFilterSchema } from '../../model/proxy.ts';
import { parse } from '../../model/validation.ts';
import { Conditions } from './conditions.ts';

/** The conditions of a filter. @throws INVALID_INPUT, which names each wrong field. */
export function conditionsOf(filter: ProxyFilter): Conditions {
  const { status, protocol, region, search, tag, country } = parse(proxyFilterSchema, filter, 'filter');
  const conditions = new Conditions();
  if (status !== undefined) conditions.add('status = :status', { status });
  if (protocol !== undefined) conditions.add('protocol = :protocol', { protocol });
  if (region !== undefined) conditions.add('region = :region', { region });
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
