import type { IncomingMessage } from 'node:http';
import { formatAddress } from '../lists/index.ts';
import type { RevealedProxy } from '../revealed-proxy.ts';
import { basicLogin, type Target } from '../upstream/index.ts';
import { endToEndHeaders } from './end-to-end-headers.ts';
import type { Settings } from './options.ts';

/** Methods whose requests have no body unless they say so; the others say that it is empty. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/**
 * The headers of a plain request as they leave, without those of its proxy, and without that of chunks.
 *
 * @param isExpecting whether the target is to say when it wants the body.
 */
export function leavingHeaders(
  incoming: IncomingMessage,
  target: Target,
  { via, forwardedFor, pseudonym }: Pick<Settings, 'via' | 'forwardedFor' | 'pseudonym'>,
  isExpecting: boolean,
): string[] {
  const { rawHeaders, headers, method = '', httpVersion, socket } = incoming;
  const passing = endToEndHeaders(rawHeaders);
  const leaving = headers.expect === undefined || isExpecting ? passing : withoutHeader(passing, 'expect');
  // A request of HTTP/1.0 may have none.
  if (headers.host === undefined)
    leaving.unshift('Host', target.port === 80 ? formatAddress(target).slice(0, -3) : formatAddress(target));
  const hasLength = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  if (!hasLength && !BODILESS.has(method)) leaving.push('Content-Length', '0');
  if (via) leaving.push('Via', `${httpVersion} ${pseudonym}`);
  if (forwardedFor && socket.remoteAddress !== undefined)
    leaving.push('X-Forwarded-For', socket.remoteAddress);
  return leaving;
}

function withoutHeader(headers: readonly string[], left: string): string[] {
  return headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== left);
}

/** The login of an HTTP proxy, as a header; empty for one without a login, and for SOCKS. @throws PROXY_FAILED. */
export function loginHeaders(proxy: RevealedProxy): string[] {
  const login = isHttp(proxy) ? basicLogin(proxy) : null;
  return login === null ? [] : ['Proxy-Authorization', login];
}

/** Whether a proxy takes plain requests itself; through the others they need a tunnel. */
export function isHttp({ protocol }: RevealedProxy): boolean {
  return protocol === 'http' || protocol === 'https';
}
