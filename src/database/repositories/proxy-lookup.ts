import { ProxyVaultError } from '../../errors.ts';
import { parseHost, parsePort } from '../../model/host.ts';
import { PROXY_PROTOCOLS, type ProxyConfig, type ProxyProtocol } from '../../model/proxy.ts';
import { assertId, invalidInput } from '../../model/validation.ts';
import { type Driver, type Mode, type Row, type Steps, step } from '../drivers/driver.ts';
import { toAddress } from './credential-record.ts';
import { defaultName, toProxy } from './proxy-record.ts';

/** Fewer characters of an id are taken for a name alone. */
const LEAST_OF_ID = 4;
/** How many matches an error names. */
const MOST_NAMED = 10;

/** What a person typed to name a proxy, and the address that it may be. */
interface Typed {
  text: string;
  address: { protocol: ProxyProtocol | null; host: string; port: number } | null;
}

/** @throws INVALID_INPUT for what is no text, or empty. */
export function readTyped(text: string): Typed {
  if (assertId(text, 'text').trim() === '') throw invalidInput(`The text must not be empty. ${WHAT_TO_GIVE}`);
  return { text, address: readAddress(text.trim()) };
}

/** Reads `[protocol://][login@]host:port[/]`; null for any other text. */
function readAddress(text: string): Typed['address'] {
  const [, scheme, host = '', digits = ''] =
    /^(?:([a-z][a-z\d]*):\/\/)?(?:.*@)?(\[[^[\]]*\]|[^[\]:@]+):(\d+)\/?$/isu.exec(text) ?? [];
  const parsed = parseHost(host);
  const port = parsePort(digits);
  if ('error' in parsed || port === null) return null;
  if (scheme === undefined) return { protocol: null, host: parsed.host, port };
  // Clients write `socks5h` and `socks4a` for a proxy that resolves the names of targets.
  const name = scheme.toLowerCase().replace(/^(socks5)h$|^(socks4)a$/, '$1$2');
  const protocol = PROXY_PROTOCOLS.find((each) => each === name);
  return protocol === undefined ? null : { protocol, host: parsed.host, port };
}

/** As the index of names has it; the name of any other proxy is its host, a colon and its port, as they are stored. */
const IS_NAMED = `name <> host || ':' || CAST(port AS TEXT)`;

/** What is before and after the last colon, if it is another address than is read from the text: `2001:db8::1:1080` may be a name. */
function readWritten(text: string, address: Typed['address']): { host: string; port: number } {
  const [, host = '', digits = ''] = /^(.+):(\d{1,5})$/su.exec(text) ?? [];
  return host === address?.host ? { host: '', port: 0 } : { host, port: Number(digits) };
}

/** @throws NOT_FOUND; CONFLICT if several match, without an exact id. */
export function* resolveSteps<M extends Mode>(db: Driver<M>, typed: Typed): Steps<M, ProxyConfig> {
  const { text, address } = typed;
  const trimmed = text.trim();
  const written = readWritten(trimmed, address);
  const exact = yield* step(
    db.first(`SELECT * FROM proxies WHERE id IN (:text, :trimmed)`, { text, trimmed }, toProxy),
  );
  if (exact) return exact;
  const found = yield* step(
    db.all(
      // Each part stops at its first matches: a gateway may have a hundred thousand sessions at one address.
      `SELECT * FROM proxies WHERE id IN (
         SELECT id FROM (
           SELECT id FROM proxies WHERE id >= :prefix AND id < :end ORDER BY id LIMIT :most) AS prefixed
         UNION SELECT id FROM (
           SELECT id FROM proxies
           WHERE host = :host AND port = :port AND protocol IN (:http, :https, :socks4, :socks5) LIMIT :most) AS addressed
         UNION SELECT id FROM (
           SELECT id FROM proxies
           WHERE name IN (:text, :trimmed) AND ${IS_NAMED} LIMIT :most) AS named
         UNION SELECT id FROM (
           SELECT id FROM proxies
           WHERE host = :written_host AND port = :written_port
             AND protocol IN ('http', 'https', 'socks4', 'socks5') AND name = :trimmed LIMIT :most) AS called)
       ORDER BY id LIMIT :most`,
      {
        text,
        trimmed,
        prefix: trimmed,
        // No character comes after this one.
        end: trimmed.length < LEAST_OF_ID ? trimmed : `${trimmed}\u{10FFFF}`,
        host: address?.host ?? '',
        port: address?.port ?? 0,
        ...protocolsOf(address?.protocol ?? null),
        written_host: written.host,
        written_port: written.port,
        most: MOST_NAMED + 1,
      },
      (row) => row,
    ),
  );
  const [first] = found;
  if (first === undefined) throw noMatch(typed);
  if (found.length > 1) throw severalMatches(found);
  return toProxy(first);
}

/** The index of addresses begins with the protocol: one that is given, or each of them. */
function protocolsOf(protocol: ProxyProtocol | null): Record<ProxyProtocol, ProxyProtocol> {
  const [http, https, socks4, socks5] = PROXY_PROTOCOLS.map((each) => protocol ?? each);
  return { http, https, socks4, socks5 } as Record<ProxyProtocol, ProxyProtocol>;
}

const WHAT_TO_GIVE =
  'Give an id or the first 4 or more characters of one, host:port, protocol://host:port, or a whole name.';

/** Names what was typed only if no part of it can be a login. */
function noMatch({ text, address }: Typed): ProxyVaultError {
  const isPlain = /^[\w.-]{1,128}$/.test(text);
  // What follows an `@` may be a login too: `host:port@user:1234`.
  const meant =
    address && !text.includes('@')
      ? ` at ${urlOf(address)}`
      : isPlain
        ? ` ${JSON.stringify(text)}`
        : ' that this text names';
  return new ProxyVaultError(
    'NOT_FOUND',
    `There is no proxy${meant}. ${WHAT_TO_GIVE} \`proxyvault list --search TEXT\` finds a part of a name or host.`,
  );
}

function severalMatches(rows: readonly Row[]): ProxyVaultError {
  const named = rows.slice(0, MOST_NAMED);
  const more = rows.length > named.length;
  const lines = named.map((row) => {
    const address = toAddress(row);
    return address ? `${row.id} (${urlOf(address)})` : String(row.id);
  });
  return new ProxyVaultError(
    'CONFLICT',
    `${more ? `More than ${MOST_NAMED}` : rows.length} proxies match: ${lines.join(', ')}${more ? ', …' : ''}. Give the whole id of one.`,
    { details: { ids: named.map(({ id }) => String(id)).join(', '), more } },
  );
}

function urlOf({ protocol, ...address }: NonNullable<Typed['address']>): string {
  return protocol === null ? defaultName(address) : `${protocol}://${defaultName(address)}`;
}
