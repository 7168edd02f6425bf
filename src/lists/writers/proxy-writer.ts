import { invalidInput } from '../../model/validation.ts';
import { parseProxyLine } from '../line/parse-line.ts';
import { MASK } from '../parts/mask.ts';
import { schemeNameOf } from '../parts/scheme.ts';
import { formatAddress } from '../parts/url.ts';
import { ESCAPED, ESCAPED_COLUMN, escapeFormula, isFormula, unescapedCells } from '../record/formulas.ts';
import { readRecord } from '../record/record.ts';
import type { LineVerdict, ListedProxy } from '../verdicts.ts';

export const EXPORT_FORMATS = ['urls', 'colon', 'csv', 'json', 'template'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Writes proxies in one format, and reads one back to see whether the format could carry it. */
export interface ProxyWriter {
  /** The text before the first proxy, between two, and after the last. */
  begin: string;
  between: string;
  end: string;
  write(proxy: ListedProxy): string;
  /** What an import would make of the proxy. */
  readBack(proxy: ListedProxy): LineVerdict | undefined;
  /** What of a proxy the format carries, for every proxy that it can. */
  carried(proxy: ListedProxy): Partial<ListedProxy>;
}

/** What only records carry, and what a program that reads the list must not miss without a word. */
export type LostPart = 'rotateUrl' | 'remoteDns';

const COLUMNS = [
  'protocol',
  'host',
  'port',
  'username',
  'password',
  'name',
  'region',
  'country',
  'city',
  'geo_region',
  'latitude',
  'longitude',
  'asn',
  'timezone',
  'latency',
  'status',
  'weight',
  'gateway',
  'remote_dns',
  'rotate_url',
  ESCAPED_COLUMN,
] as const;

type Row = Record<(typeof COLUMNS)[number], string | number | undefined>;

/** The writer of a format. `layout` is a line for `template`, which without one writes URLs with the placeholders in clear. */
export function writerOf(format: ExportFormat, layout?: string): ProxyWriter {
  switch (format) {
    case 'urls':
      return lineWriter(writeUrl, endpointAndName);
    case 'colon':
      return lineWriter(writeColons, endpointOf);
    case 'template':
      return layout === undefined
        ? lineWriter((proxy) => openPlaceholders(writeUrl(proxy)), endpointAndName)
        : lineWriter((proxy) => writeLayout(proxy, layout), endpointOf);
    case 'csv':
      return {
        write: (proxy) => {
          const row = rowOf(proxy);
          return COLUMNS.map((column) => quote(row[column])).join(',');
        },
        readBack: (proxy) => readRecord(unescapedCells(Object.entries(rowOf(proxy))), {})[0],
        carried: (proxy) => proxy,
        begin: `${COLUMNS.join(',')}\n`,
        between: '\n',
        end: '\n',
      };
    case 'json':
      return {
        write: (proxy) => JSON.stringify(proxy),
        readBack: (proxy) => readRecord(Object.entries(columnsOf(proxy)), {})[0],
        carried: (proxy) => proxy,
        begin: '[\n',
        between: ',\n',
        end: '\n]\n',
      };
    default:
      throw invalidInput(`format must be one of ${EXPORT_FORMATS.join(', ')}.`);
  }
}

function lineWriter(
  write: (proxy: ListedProxy) => string,
  carried: (proxy: ListedProxy) => Partial<ListedProxy>,
): ProxyWriter {
  const readBack = (proxy: ListedProxy): LineVerdict => parseProxyLine(write(proxy));
  return { begin: '', between: '\n', end: '\n', write, readBack, carried };
}

function endpointOf({ protocol, host, port, username, password }: ListedProxy): Partial<ListedProxy> {
  return { protocol, host, port, username, password };
}

function endpointAndName(proxy: ListedProxy): Partial<ListedProxy> {
  return { ...endpointOf(proxy), name: proxy.name };
}

/** Percent escapes keep what would be read as something else, such as an address in a login, or a name that is a protocol. */
function writeUrl(proxy: ListedProxy): string {
  const url = urlOf(proxy, encodeURIComponent);
  const isMasked = proxy.username === MASK && proxy.password === MASK;
  // What is masked stays to be seen.
  return isMasked || isReadBack(url, proxy) ? url : urlOf(proxy, escapeAll);
}

function isReadBack(url: string, proxy: ListedProxy): boolean {
  const verdict = parseProxyLine(url);
  if (verdict.kind !== 'proxy') return false;
  const { username = '', password = '', name } = verdict.proxy;
  return username === (proxy.username ?? '') && password === (proxy.password ?? '') && name === proxy.name;
}

function urlOf(proxy: ListedProxy, escaped: (text: string) => string): string {
  const { username = '', password = '', name } = proxy;
  const login = username === '' && password === '' ? '' : `${escaped(username)}:${escaped(password)}@`;
  const fragment = name === undefined ? '' : `#${escaped(name)}`;
  return `${schemeNameOf(proxy)}://${login}${formatAddress(proxy)}${fragment}`;
}

function escapeAll(text: string): string {
  return Buffer.from(text).toString('hex').replace(/../g, '%$&').toUpperCase();
}

/** Begins with the scheme unless that is `http`, which an import assumes if a line names no protocol. */
function writeColons(proxy: ListedProxy): string {
  const { protocol, username = '', password = '' } = proxy;
  const scheme = protocol === 'http' ? '' : `${schemeNameOf(proxy)}://`;
  const login = username === '' && password === '' ? '' : `:${username}:${password}`;
  return `${scheme}${formatAddress(proxy)}${login}`;
}

/** In a URL, username and password are percent-encoded but for the placeholders of a template. */
function writeLayout(proxy: ListedProxy, layout: string): string {
  const { username = '', password = '' } = proxy;
  const isUrl = /^(?:\{protocol\}|[a-z\d]+):\/\//.test(layout);
  const values = new Map([
    ['protocol', schemeNameOf(proxy)],
    ['host', proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host],
    ['port', String(proxy.port)],
    ['username', isUrl ? encode(username) : username],
    ['password', isUrl ? encode(password) : password],
  ]);
  return layout.replace(/\{(\w+)\}/g, (whole, name: string) => values.get(name) ?? whole);
}

function encode(text: string): string {
  return openPlaceholders(encodeURIComponent(text));
}

function openPlaceholders(url: string): string {
  return url.replace(/%7B(session|country|ttl)%7D/g, '{$1}');
}

/** The cells of a CSV. Numbers are never formulas. */
function rowOf(proxy: ListedProxy): Row {
  const columns = Object.entries(columnsOf(proxy));
  if (!columns.some(([, value]) => typeof value === 'string' && isFormula(value))) return columnsOf(proxy);
  const escaped = columns.map(([name, value]) => [
    name,
    typeof value === 'string' ? escapeFormula(value) : value,
  ]);
  return { ...Object.fromEntries(escaped), [ESCAPED_COLUMN]: ESCAPED };
}

function columnsOf({ geolocation = {}, ...proxy }: ListedProxy): Row {
  const { protocol, host, port, username, password, name, region, latency, status, weight } = proxy;
  const { remoteDns, rotateUrl: rotate_url } = proxy;
  const remote_dns = remoteDns?.toString();
  const gateway = proxy.gateway?.toString();
  const { country, city, region: geo_region, latitude, longitude, asn, timezone } = geolocation;
  return {
    ...{
      protocol,
      host,
      port,
      username,
      password,
      name,
      region,
      latency,
      status,
      weight,
      gateway,
      remote_dns,
      rotate_url,
    },
    ...{ country, city, geo_region, latitude, longitude, asn, timezone, escaped: undefined },
  };
}

/** RFC 4180, section 2. */
function quote(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value);
  return /[",]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
