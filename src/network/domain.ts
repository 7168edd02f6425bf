import { parseHost, type Refusal } from './host.ts';

/** A domain to stick to: an exact host, or `*.` and a name for every depth below it. */
export interface DomainPattern {
  pattern: string;
  isWildcard: boolean;
}

/**
 * Normalises a domain or wildcard: lower case, no trailing dot, ASCII (UTS 46). `*.example.com` matches
 * `a.example.com` and `a.b.example.com`, and not `example.com`.
 */
export function normalizeDomainPattern(text: string): DomainPattern | Refusal {
  const isWildcard = text.startsWith('*.');
  const parsed = parseHost(isWildcard ? text.slice(2) : text);
  if ('error' in parsed) return { error: parsed.error.replace('the host', 'the domain') };
  if (isWildcard && parsed.kind !== 'name')
    return { error: 'a wildcard stands before a name, not an address' };
  return { pattern: isWildcard ? `*.${parsed.host}` : parsed.host, isWildcard };
}

/** The patterns that match a normalised host, the most specific first: itself, then each `*.` of its parents. */
export function matchingPatterns(host: string): string[] {
  const patterns = [host];
  if (/^[\d.]+$/.test(host) || host.includes(':')) return patterns;
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1))
    patterns.push(`*${host.slice(dot)}`);
  return patterns;
}
