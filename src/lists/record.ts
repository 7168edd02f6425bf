import { parsePort } from '../network/host.ts';
import { toAddress } from './address.ts';
import { type Field, fieldsOf } from './fields.ts';
import { readGeolocation } from './geolocation.ts';
import { acceptProxy, parseProxyLine } from './line.ts';
import { maskLine } from './mask.ts';
import { requireScheme, type Scheme, schemeNameOf, schemeOf } from './protocol.ts';
import { Refused, refusalOf, verdictOf } from './refused.ts';
import type { LineVerdict, ListedProtocol, ListedProxy, ParseOptions, RefusalCode } from './types.ts';
import { readNumber, readText } from './values.ts';

type Fields = ReadonlyMap<Field, unknown>;

/** What anonymity `type` stands for in some lists; then it is no protocol. */
const ANONYMITY = /^(?:elite|anonymous|transparent|high|datacenter|residential|isp|mobile)\b/i;
/** Below it a `timeout` can only be seconds, from the other on only milliseconds. */
const MOST_SECONDS = 10;
const LEAST_MILLISECONDS = 100;

/** The verdicts on a record with named members: one for each protocol that it names. */
export function readRecord(
  entries: Iterable<readonly [string, unknown]>,
  options: ParseOptions,
): LineVerdict[] {
  const fields = fieldsOf(entries);
  try {
    const schemes = readSchemes(fields, options.protocol);
    return schemes.map((scheme) => verdictOf(() => readOne(fields, scheme, options)));
  } catch (error) {
    return [refusalOf(error)];
  }
}

/** The address of a record that is refused, as a line is masked. */
export function maskRecord(entries: Iterable<readonly [string, unknown]>, code: RefusalCode): string {
  const fields = fieldsOf(entries);
  const host = textOf(fields.get('host')) ?? textOf(fields.get('url')) ?? '';
  const port = fields.get('port');
  return maskLine(port === undefined ? host : `${host}:${String(port)}`, code);
}

function readOne(fields: Fields, { protocol, note, remoteDns }: Scheme, options: ParseOptions): LineVerdict {
  const endpoint = readEndpoint(fields, protocol, options);
  const { geolocation, notes } = readGeolocation(fields);
  const latency = readLatency(fields);
  const proxy: ListedProxy = {
    ...endpoint,
    ...readLogin(fields, endpoint),
    ...present('name', readText(fields.get('name'), 256)),
    ...present('region', readText(fields.get('region'), 128)),
    ...present('geolocation', geolocation),
    ...(typeof latency === 'number' ? { latency } : {}),
    ...(fields.get('status') === 'disabled' ? { status: 'disabled' } : {}),
    ...present('remoteDns', readRemoteDns(fields, { remoteDns, ...endpoint })),
    ...present('rotateUrl', textOf(fields.get('rotateUrl'))),
  };
  return acceptProxy(proxy, [...[note, ...notes], typeof latency === 'string' ? latency : undefined]);
}

/** Host and port, from two members or one. */
function readEndpoint(fields: Fields, protocol: ListedProtocol, options: ParseOptions): ListedProxy {
  const host = textOf(fields.get('host')) ?? textOf(fields.get('url'));
  if (host === undefined) throw new Refused('not-a-proxy', 'the record has no host');
  const port = fields.get('port');
  if (port === undefined || host.includes('://')) return readWhole(host, protocol, fields, options);
  const number = parsePort(String(port).trim());
  if (number === null) throw new Refused('bad-port', 'the port is not a number from 1 to 65535');
  const address = toAddress(host.trim(), number);
  if (!address) throw new Refused('bad-host', 'the host is neither an IP address nor a name');
  return { protocol, host: address.host, port: number };
}

/** A member that holds all of it, as a line does. */
function readWhole(
  text: string,
  protocol: ListedProtocol,
  fields: Fields,
  options: ParseOptions,
): ListedProxy {
  const verdict = parseProxyLine(text, { ...options, protocol });
  if (verdict.kind === 'refused') throw new Refused(verdict.code, verdict.reason);
  if (verdict.kind !== 'proxy') throw new Refused('not-a-proxy', 'the record has no host');
  const hasProtocol = fields.has('protocol') && !text.includes('://');
  return hasProtocol ? { ...verdict.proxy, protocol } : verdict.proxy;
}

function readSchemes(fields: Fields, fallback: ListedProtocol = 'http'): Scheme[] {
  const value = fields.get('protocol');
  const names = (Array.isArray(value) ? value : [value]).flatMap((name) => textOf(name)?.trim() ?? []);
  const whole = textOf(fields.get('url')) ?? textOf(fields.get('host')) ?? '';
  if (names.length === 0 || whole.includes('://') || names.every((name) => ANONYMITY.test(name)))
    return [{ protocol: fallback }];
  const schemes = names.slice(0, 8).map((name) => requireScheme(name.replace(/:\/\/$/, '')));
  if (fields.get('tls') === true || fields.get('tls') === 'true') return schemes.map(withTls);
  return schemes.filter(
    (scheme, index) => schemes.findIndex((other) => other.protocol === scheme.protocol) === index,
  );
}

/** Clash and Mihomo write an HTTPS proxy as `type: http` with `tls: true`. */
function withTls(scheme: Scheme): Scheme {
  if (scheme.protocol === 'http') return schemeOf('https') ?? scheme;
  throw new Refused('unknown-scheme', `${scheme.protocol} inside TLS is not supported`);
}

function readLogin(fields: Fields, endpoint: ListedProxy): Pick<ListedProxy, 'username' | 'password'> {
  if (!fields.has('username') && !fields.has('password')) return {};
  const username = credentialOf(fields.get('username'), 'username') ?? endpoint.username ?? '';
  const password = credentialOf(fields.get('password'), 'password') ?? endpoint.password ?? '';
  return username === '' && password === '' ? {} : { username, password };
}

function credentialOf(value: unknown, name: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  if (Number.isSafeInteger(value)) return String(value);
  throw new Refused('bad-credentials', `the ${name} is not a text`);
}

/** Who resolves the names of targets, if a SOCKS proxy's protocol or record says it. */
function readRemoteDns(fields: Fields, { protocol, remoteDns }: ListedProxy): boolean | undefined {
  const value = fields.get('remoteDns');
  if (value === undefined) return remoteDns;
  const isRemote = String(value) === 'true';
  if (!isRemote && String(value) !== 'false')
    throw new Refused('bad-record', 'remoteDns is neither true nor false');
  const isSocks = protocol.startsWith('socks');
  if (isRemote) return isSocks ? true : undefined;
  if (isSocks && remoteDns === undefined) return false;
  throw new Refused('bad-record', `remoteDns is false, and the protocol is ${schemeNameOf({ protocol })}`);
}

/** Milliseconds, or why there are none. */
function readLatency(fields: Fields): number | string | undefined {
  const latency = readNumber(fields.get('latency'), 0, 1e15);
  if (latency !== undefined) return Math.round(latency);
  const timeout = readNumber(fields.get('timeout'), 0, 3_600_000);
  if (timeout === undefined) return undefined;
  if (timeout < MOST_SECONDS) return Math.round(timeout * 1000);
  if (timeout >= LEAST_MILLISECONDS) return Math.round(timeout);
  return 'the timeout was left out: it may be seconds or milliseconds';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function present<Name extends string, T>(name: Name, value: T | undefined): Partial<Record<Name, T>> {
  return value === undefined ? {} : ({ [name]: value } as Partial<Record<Name, T>>);
}
