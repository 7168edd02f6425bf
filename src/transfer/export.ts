import type { DatabaseManager, Login, ProxyConfig } from '../database/index.ts';
import { isUnreadable } from '../database/repositories/credential-record.ts';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyTagsRepository,
} from '../database/repositories/index.ts';
import type { EncryptionService } from '../database/services/index.ts';
import { ProxyVaultError } from '../errors.ts';
import {
  type FormatOptions,
  formatAddress,
  type ListedProxy,
  ListFormatter,
  type LostPart,
} from '../lists/index.ts';
import { assertBoolean, assertFunction, assertOptions } from '../model/validation.ts';
import { Repeats } from './repeats.ts';

/** A proxy that the format cannot carry, wholly or in part, that repeats another one, or whose login cannot be read. */
export interface LeftOut {
  id: string;
  /**
   * What of the proxy is left out, while the rest is written: its change-IP URL, or who resolves names. Absent if
   * the whole proxy is left out.
   */
  part?: LostPart | undefined;
  /** For a person; holds no login. */
  reason: string;
}

export interface ExportOptions extends FormatOptions {
  /** Needed with `reveal`, if the pool has credentials. */
  encryption?: EncryptionService | undefined;
  /** Only the proxies with this tag. */
  tag?: string | undefined;
  /**
   * Called with each proxy that is left out, since an import would not read it back as it is or its login cannot be read, and
   * with each part that is.
   */
  onLeftOut?: ((proxy: LeftOut) => void) | undefined;
}

const EXPORT_OPTIONS = [
  'format',
  'layout',
  'reveal',
  'encryption',
  'tag',
  'onLeftOut',
] as const satisfies readonly (keyof ExportOptions)[];

/**
 * The pool as a list, in pieces, in the order of ids: what `importProxies` reads back to the same proxies. With a vault, use
 * `vault.export`.
 *
 * @throws INVALID_INPUT; with `reveal` also KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
 * @example
 * for (const piece of exportProxies(db, { format: 'csv', tag: 'mine' })) process.stdout.write(piece);
 */
export function* exportProxies(
  db: DatabaseManager,
  options: ExportOptions = {},
): Generator<string, void, undefined> {
  const {
    encryption,
    tag,
    reveal = false,
    onLeftOut,
    ...format
  } = assertOptions(options, EXPORT_OPTIONS, 'options of an export');
  assertBoolean(reveal, 'reveal');
  if (onLeftOut !== undefined) assertFunction(onLeftOut, 'onLeftOut');
  const tags = new ProxyTagsRepository(db);
  const formatter = new ListFormatter({ ...format, reveal });
  yield formatter.begin();
  const proxies = new ProxyRepository(db);
  const stored = { proxies, credentials: new EncryptedCredentialsRepository(db, encryption), reveal };
  const repeats = new Repeats(proxies);
  for (const streamed of proxies.iterate()) {
    if (tag !== undefined && !tags.has(streamed.id, tag)) continue;
    const read = notRepeated(readLogin(streamed, stored), stored, repeats);
    const formatted = 'leftOut' in read ? read : formatter.write(toListed(read.proxy, read.login));
    if ('text' in formatted) yield formatted.text;
    else onLeftOut?.({ id: streamed.id, reason: formatted.leftOut });
    for (const part of 'lost' in formatted ? formatted.lost : [])
      onLeftOut?.({ id: streamed.id, part, reason: reasonOf(part, streamed) });
  }
  yield formatter.end();
}

function reasonOf(part: LostPart, { remoteDns }: ProxyConfig): string {
  if (part === 'rotateUrl') return 'it has a change-IP URL';
  const who = remoteDns ? 'the proxy resolves' : 'its clients resolve';
  return `the list does not say that ${who} names`;
}

interface Stored {
  proxies: ProxyRepository;
  credentials: EncryptedCredentialsRepository;
  reveal: boolean;
}

type WithLogin = { proxy: ProxyConfig; login: Login | null };
type Read = WithLogin | { leftOut: string };

/** One credential that cannot be read leaves out its proxy, and takes no other with it. */
function readLogin(proxy: ProxyConfig, stored: Stored): Read {
  try {
    return stored.reveal ? withLogin(proxy, stored) : { proxy, login: maskedLogin(proxy, stored) };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { leftOut: `its login cannot be read: ${error.message} (${error.code})` };
  }
}

/** An export reads back to as many proxies as it has. A masked login tells nothing, and is not read back. */
function notRepeated(read: Read, { reveal }: Stored, repeats: Repeats): Read {
  if ('leftOut' in read || (read.login !== null && !reveal)) return read;
  const twin = repeats.find(read.proxy, read.login);
  return twin === null ? read : { leftOut: `it has the address and login of ${twin}: remove one of them` };
}

/** A login for the formatter to mask: it shows only that something secret is stored, so nothing is decrypted. */
function maskedLogin({ id }: ProxyConfig, { credentials }: Stored): Login | null {
  return credentials.exists(id)
    ? { username: 'x', password: 'x', rotateUrl: 'https://masked.invalid/' }
    : null;
}

/** A proxy with the login that belongs to its address. The stream is older than the login, so the address may be too. */
function withLogin(proxy: ProxyConfig, { proxies, credentials }: Stored): WithLogin {
  try {
    return { proxy, login: credentials.reveal(proxy) };
  } catch (error) {
    const moved = error instanceof ProxyVaultError && error.code === 'CONFLICT';
    const current = moved ? proxies.findById(proxy.id) : null;
    if (current === null) throw error;
    return { proxy: current, login: credentials.reveal(current) };
  }
}

/** What a list tells of a proxy; the name only if it is not the address. */
function toListed(proxy: ProxyConfig, login: Login | null): ListedProxy {
  const { protocol, host, port, name, region, geolocation, latency, status, remoteDns, weight, gateway } =
    proxy;
  return {
    protocol,
    host,
    port,
    ...login,
    ...(name === formatAddress(proxy) ? {} : { name }),
    ...(region === null ? {} : { region }),
    ...(geolocation === null ? {} : { geolocation }),
    ...(latency === null ? {} : { latency }),
    ...(status === 'disabled' ? { status } : {}),
    ...(protocol.startsWith('socks') ? { remoteDns } : {}),
    ...(weight === 1 ? {} : { weight }),
    ...(gateway ? { gateway } : {}),
  };
}
