import type { Target } from '../upstream/index.ts';
import { parseAuthority } from './authority.ts';
import { isOwnHeader } from './identity-headers.ts';

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

/** A name (RFC 9110, 5.1), and a value without control characters except the tab. */
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const VALUE = /^[\t -~\x80-\xff]*$/;

/** Names that some servers read as a header that says where a body ends, as those that turn `-` into `_`. */
const LOOKALIKE =
  /^(?!(?:transfer-encoding|content-length)$)(?:transfer[^a-z]*encoding|content[^a-z]*length)$/i;

/** As many digits as a number in JavaScript has exactly; and no 0 before others, which some read as octal. */
const LENGTH = /^(?:0|[1-9]\d{0,14})$/;

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

/**
 * Why it is not clear where a request ends or to whom it goes, so that two programs could see two requests; null if it is clear. The
 * strict parser of `node:http` lets much of this through: test/gateway/strict-parser.test.ts says what.
 *
 * @param httpVersion such as `1.1`.
 * @param isUpgrade whether an `Upgrade` of the request is taken up.
 */
export function framingProblem(
  rawHeaders: readonly string[],
  method: string,
  httpVersion: string,
  isUpgrade = true,
): string | null {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'The version of HTTP must be 1.1 or 1.0.';
  return (
    characterProblem(rawHeaders) ??
    hostProblem(valuesOf(rawHeaders, 'host'), httpVersion) ??
    bodyProblem(rawHeaders, method, httpVersion, isUpgrade)
  );
}

function characterProblem(rawHeaders: readonly string[]): string | null {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1];
    if (!NAME.test(name) || value === undefined || !VALUE.test(value))
      return 'A header has a character that it must not have.';
    if (LOOKALIKE.test(name))
      return 'A header looks like Content-Length or Transfer-Encoding, and is neither.';
  }
  return null;
}

function hostProblem(hosts: readonly string[], httpVersion: string): string | null {
  if (hosts.length > 1) return 'There is more than one Host.';
  if (hosts.length === 0) return httpVersion === '1.1' ? 'There is no Host.' : null;
  return parseAuthority(hosts[0] ?? '', 80) === null ? 'Host must be a host, and perhaps a port.' : null;
}

function bodyProblem(
  rawHeaders: readonly string[],
  method: string,
  httpVersion: string,
  isUpgrade: boolean,
): string | null {
  const lengths = valuesOf(rawHeaders, 'content-length');
  const codings = valuesOf(rawHeaders, 'transfer-encoding');
  if (lengths.length > 1) return 'There is more than one Content-Length.';
  if (lengths.length === 1 && !LENGTH.test(lengths[0] ?? '')) return 'Content-Length must be a plain number.';
  if (codings.length > 0) {
    if (lengths.length > 0) return 'There are both Content-Length and Transfer-Encoding.';
    if (httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding.';
    // Codings have no case (RFC 9112, 7).
    if (codings.length > 1 || !/^chunked$/i.test(codings[0] ?? ''))
      return 'Transfer-Encoding must be chunked, once.';
  }
  const hasBody = codings.length > 0 || (lengths.length > 0 && lengths[0] !== '0');
  if (!hasBody) return null;
  // RFC 9110, 9.3.6 and 9.3.8.
  if (method === 'CONNECT' || method === 'TRACE') return `${method} must not have a body.`;
  // What follows the headers is a body to one program, and the other protocol to another.
  const hasUpgrade = isUpgrade && namedByConnection(rawHeaders).has('upgrade');
  return hasUpgrade ? 'A request with Upgrade must not have a body.' : null;
}

/** Whether an `Upgrade` is taken up: others than WebSockets, such as h2c, are offers that nobody need take up. */
export function isTakenUp(upgrade: string | undefined): boolean {
  return upgrade?.toLowerCase() === 'websocket';
}

/** Why `Host` is not the target of the request; null if it is, or if there is no Host, as HTTP/1.0 allows. */
export function hostDisagrees(
  rawHeaders: readonly string[],
  target: Target,
  scheme: 'http' | 'https' = 'http',
): string | null {
  for (const value of valuesOf(rawHeaders, 'host')) {
    const host = parseAuthority(value, scheme === 'http' ? 80 : 443);
    if (host === null || host.host !== target.host || host.port !== target.port)
      return 'Host must be the host and the port of the URL.';
  }
  return null;
}

/** The values of all headers with a name that is given in small letters. */
function valuesOf(rawHeaders: readonly string[], wanted: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === wanted.length && name.toLowerCase() === wanted) values.push(rawHeaders[at + 1] ?? '');
  }
  return values;
}

function namedByConnection(rawHeaders: readonly string[]): ReadonlySet<string> {
  const names = valuesOf(rawHeaders, 'connection').flatMap((value) => value.split(','));
  return new Set(names.map((name) => name.trim().toLowerCase()));
}
