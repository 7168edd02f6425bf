import { domainToUnicode } from 'node:url';

import { normalizeDomainPattern } from '../../model/domain.ts';

/** Most names: they are in both forms already. Their last label is no number, which would make them an address. */
const PLAIN_NAME = /^(?!.*xn--)(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*$/;

/** A domain, or the host of a URL, in the one form in which it is stored: no other spelling passes by a rule that blocks. */
export function wholeDomain(value: string): string {
  if (PLAIN_NAME.test(value)) return value;
  const parsed = normalizeDomainPattern(value);
  if (!('error' in parsed)) return parsed.pattern;
  // A login is no part of a domain.
  return withoutRoot(domainPart(value.slice(value.lastIndexOf('@') + 1)));
}

/** A part of a domain in small letters and Unicode: otherwise `a。de` or an `xn--` name would pass by a rule that blocks. */
export function domainPart(value: string): string {
  const text = value.toLowerCase();
  // Only what needs it is converted: a plain number would become an IPv4 address.
  return /[^\0-\x7f]|xn--/.test(text) ? domainToUnicode(text) || text : text;
}

/** `a.de.` is the same domain as `a.de`. */
export function withoutRoot(domain: string): string {
  return domain.replace(/\.$/, '');
}
