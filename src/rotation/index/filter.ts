import { PROXY_PROTOCOLS, type ProxyProtocol } from '../../model/proxy.ts';

/** Which proxies may be chosen. What is absent leaves it open. */
export interface Filter {
  protocol?: ProxyProtocol | undefined;
  /** Two capital letters of ISO 3166-1. */
  country?: string | undefined;
  region?: string | undefined;
  /** Each a region or a country; one of them. */
  places?: readonly string[] | undefined;
  /** All of these. */
  tags?: readonly string[] | undefined;
  /** None of these. */
  notCountries?: readonly string[] | undefined;
  notTags?: readonly string[] | undefined;
}

/** The one text of a filter: '' if it leaves everything open. No value has a control character, so the tabs separate. */
export function keyOf(filter: Filter): string {
  const { protocol, country, region, places, tags, notCountries, notTags } = filter;
  let key = '';
  if (protocol !== undefined) key = `protocol=${protocol}`;
  if (country !== undefined) key = joined(key, `country=${country}`);
  if (region !== undefined) key = joined(key, `region=${region}`);
  if (places !== undefined) key = joinedAll(key, 'place=', places);
  if (tags !== undefined) key = joinedAll(key, 'tag=', tags);
  if (notCountries !== undefined) key = joinedAll(key, 'country!=', notCountries);
  if (notTags !== undefined) key = joinedAll(key, 'tag!=', notTags);
  return key;
}

/** A number that only this filter has, if it is of a protocol and a country at most; else -1. */
export function codeOf({ protocol, country, region, places, tags, notCountries, notTags }: Filter): number {
  const hasMore = region ?? places ?? tags ?? notCountries ?? notTags;
  if (hasMore !== undefined) return -1;
  const first = protocol === undefined ? 0 : 1 + PROXY_PROTOCOLS.indexOf(protocol);
  return first * 2 ** 16 + lettersOf(country ?? null);
}

/** Two letters as one number; 0 for a country that is not known. */
export function lettersOf(country: string | null): number {
  return country === null ? 0 : country.charCodeAt(0) * 256 + country.charCodeAt(1);
}

function joinedAll(key: string, name: string, values: readonly string[]): string {
  const sorted = values.length > 1 ? [...new Set(values)].sort() : values;
  return sorted.reduce((text, value) => joined(text, name + value), key);
}

function joined(key: string, part: string): string {
  return key === '' ? part : `${key}\t${part}`;
}
