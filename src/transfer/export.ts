import type { DatabaseManager, Login, ProxyConfig } from '../database/index.ts';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyTagsRepository,
} from '../database/repositories/index.ts';
import type { EncryptionService } from '../database/services/index.ts';
import { ProxyVaultError } from '../errors.ts';
import { type FormatOptions, formatAddress, type ListedProxy, ListFormatter } from '../lists/index.ts';

/** A proxy that the format cannot carry. */
export interface LeftOut {
  id: string;
  /** For a person; holds no login. */
  reason: string;
}

export interface ExportOptions extends FormatOptions {
  /** Needed if the pool has credentials. */
  encryption?: EncryptionService | undefined;
  /** Only the proxies with this tag. */
  tag?: string | undefined;
  /** Called with each proxy that is left out, since an import would not read it back as it is. */
  onLeftOut?: ((proxy: LeftOut) => void) | undefined;
}

/**
 * The pool as a list, in pieces, in the order of ids: what `importProxies` reads back to the same proxies.
 *
 * @throws KEY_MISSING, KEY_MISMATCH, CREDENTIAL_CORRUPT, INVALID_INPUT.
 */
export function* exportProxies(
  db: DatabaseManager,
  options: ExportOptions = {},
): Generator<string, void, undefined> {
  const { encryption, tag, onLeftOut } = options;
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  const tags = new ProxyTagsRepository(db);
  const formatter = new ListFormatter(options);
  yield formatter.begin();
  const proxies = new ProxyRepository(db);
  for (const streamed of proxies.iterate()) {
    if (tag !== undefined && !tags.has(streamed.id, tag)) continue;
    const { proxy, login } = withLogin(streamed, { proxies, credentials });
    const formatted = formatter.write(toListed(proxy, login));
    if ('text' in formatted) yield formatted.text;
    else onLeftOut?.({ id: proxy.id, reason: formatted.leftOut });
  }
  yield formatter.end();
}

/** A proxy with the login that belongs to its address. The stream is older than the login, so the address may be too. */
function withLogin(
  proxy: ProxyConfig,
  { proxies, credentials }: { proxies: ProxyRepository; credentials: EncryptedCredentialsRepository },
): { proxy: ProxyConfig; login: Login | null } {
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
  const { protocol, host, port, name, region, geolocation, latency, status } = proxy;
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
  };
}
