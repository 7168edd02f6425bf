import { isOwnHeader } from './identity-headers.ts';
import { namedByConnection } from './raw-headers.ts';

/** Headers for the next hop alone (RFC 9110, 7.6.1), and those that proxies and clients use so. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers that `Connection` may not take away: without them what leaves is another request. */
const KEPT: ReadonlySet<string> = new Set(['host', 'content-length']);

/**
 * The headers of a plain request or its answer as they leave: without those for one hop, those that `Connection` names, and those for
 * the gateway. Order, case and repetitions are kept. Whoever sends it frames the body again.
 *
 * @param rawHeaders names and values by turns, as `node:http` gives them.
 */
export function endToEndHeaders(rawHeaders: readonly string[]): string[] {
  const named = namedByConnection(rawHeaders);
  const kept: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || isOwnHeader(lower) || (named.has(lower) && !KEPT.has(lower))) continue;
    kept.push(name, rawHeaders[at + 1] ?? '');
  }
  return kept;
}
