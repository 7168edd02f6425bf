import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { parseHost, parsePort, type Rejection } from './host.ts';
import { invalidInput } from './validation.ts';

/** A domain to stick to: an exact host, or `*.` and a name for every depth below it. */
export interface DomainPattern {
  pattern: string;
  isWildcard: boolean;
}

const ADVICE = 'Write a domain such as shop.example, or a URL';

/**
 * Normalises a domain or wildcard: lower case, no trailing dot, ASCII (UTS 46). `*.example.com` matches
 * `a.example.com` and `a.b.example.com`, and not `example.com`. Of a URL or `host:port` it takes the host, and drops the login.
 * An error says what to write, and never holds the text.
 */
export function normalizeDomainPattern(
  text: string,
  { wildcards = true }: { wildcards?: boolean } = {},
): DomainPattern | Rejection {
  const host = hostIn(text.trim());
  if (host === null) return { error: `it is neither a domain nor a URL. ${ADVICE}` };
  const isWildcard = host.startsWith('*.');
  if (isWildcard && !wildcards) return { error: `a wildcard is not one domain. ${ADVICE}` };
  const parsed = parseHost(isWildcard ? host.slice(2) : host);
  if ('error' in parsed) return { error: `${parsed.error.replace('the host', 'the domain')}. ${ADVICE}` };
  if (isWildcard && parsed.kind !== 'name')
    return { error: 'a wildcard stands before a name, not an address' };
  return { pattern: isWildcard ? `*.${parsed.host}` : parsed.host, isWildcard };
}

export const domainSchema = z.string().transform((value, context) => {
  const parsed = normalizeDomainPattern(value);
  if (!('error' in parsed)) return parsed;
  context.addIssue(parsed.error);
  return z.NEVER;
});

/** One domain: no wildcard. */
export const hostDomainSchema = z.string().transform((value, context) => {
  const parsed = normalizeDomainPattern(value, { wildcards: false });
  if (!('error' in parsed)) return parsed.pattern;
  context.addIssue(parsed.error);
  return z.NEVER;
});

/** A domain, or a wildcard if those are allowed, normalised; of a URL its host. @throws INVALID_INPUT, without the text. */
export function parseDomain(text: string, options: { wildcards?: boolean } = {}): DomainPattern {
  const parsed =
    typeof text === 'string' ? normalizeDomainPattern(text, options) : { error: 'it must be a string' };
  if ('error' in parsed) throw invalidInput(`The domain is not valid: ${parsed.error}.`);
  return parsed;
}

/** The host of a domain, `user:pass@host:port` or URL, as it is written; null for any other text. */
function hostIn(text: string): string | null {
  if (!/[:/?#@\\]/.test(text) || isIPv6(text)) return text;
  // Browsers and curl read different hosts from `https://a.example\\@b.example`.
  if (text.includes('\\')) return null;
  const [scheme = ''] = /^[a-z][a-z\d+.-]*:\/\//i.exec(text) ?? [];
  const rest = text.slice(scheme.length);
  const [authority = ''] = rest.split(/[/?#]/, 1);
  const address = authority.slice(authority.lastIndexOf('@') + 1);
  const [, host, port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(address) ?? [];
  if (host === undefined || (port !== '' && parsePort(port) === null)) return null;
  // One word before a slash may be anything.
  const isWord = scheme === '' && authority !== rest && !/[.:]/.test(address);
  return isWord ? null : host;
}

/** The patterns that match a normalised host, the most specific first: itself, then each `*.` of its parents. */
export function matchingPatterns(host: string): string[] {
  const patterns = [host];
  if (/^[\d.]+$/.test(host) || host.includes(':')) return patterns;
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1))
    patterns.push(`*${host.slice(dot)}`);
  return patterns;
}
