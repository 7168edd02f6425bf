import type { Target } from '../upstream/index.ts';
import { parseAuthority } from './authority.ts';
import { namedByConnection, valuesOf } from './raw-headers.ts';

/** A name (RFC 9110, 5.1), and a value without control characters except the tab. */
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const VALUE = /^[\t -~\x80-\xff]*$/;

/** Names that some servers read as a header that says where a body ends, as those that turn `-` into `_`. */
const LOOKALIKE =
  /^(?!(?:transfer-encoding|content-length)$)(?:transfer[^a-z]*encoding|content[^a-z]*length)$/i;

/** As many digits as a number in JavaScript has exactly; and no 0 before others, which some read as octal. */
const LENGTH = /^(?:0|[1-9]\d{0,14})$/;

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

/** Why `Host` is not the target of a request of plain HTTP; null if it is, or if there is no Host, as HTTP/1.0 allows. */
export function hostDisagrees(rawHeaders: readonly string[], target: Target): string | null {
  for (const value of valuesOf(rawHeaders, 'host')) {
    const host = parseAuthority(value, 80);
    if (host === null || host.host !== target.host || host.port !== target.port)
      return 'Host must be the host and the port of the URL.';
  }
  return null;
}
