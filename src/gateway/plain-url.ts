import type { Target } from '../upstream/index.ts';
import { parseAuthority } from './authority.ts';

/** The URL of a plain request, in its parts. */
export interface PlainUrl {
  target: Target;
  /** The host as it was written, with its port. */
  authority: string;
  /** Path and query, as they were written. */
  path: string;
}

/** Reads the absolute form `http://host[:port][/path][?query]`; null for any other. */
export function parsePlainUrl(url: string): PlainUrl | null {
  const [, authority = '', path = ''] = /^http:\/\/([^/?#]*)([/?][^#]*)?$/i.exec(url) ?? [];
  const target = parseAuthority(authority, 80);
  if (target === null) return null;
  return { target, authority, path: path.startsWith('/') ? path : `/${path}` };
}
