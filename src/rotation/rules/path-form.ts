const UNRESERVED = /[\w.~-]/;
/** What `URL.pathname` encodes, and what is no part of a path. */
const ENCODED = /[\0-\x20"<>^`{}\x7f-\u{10ffff}]/gu;

/**
 * A path, or a part of one, in one form: as `URL.pathname` has it, with spaces and letters beyond ASCII percent-encoded, and plain
 * letters and digits not (RFC 3986, section 6.2.2): otherwise `/%61dmin` would pass by a rule that blocks `/admin`.
 */
export function pathForm(path: string): string {
  const encoded = path.toWellFormed().replace(ENCODED, encodeURIComponent);
  if (!encoded.includes('%')) return encoded;
  return encoded.replace(/%([\da-f]{2})/gi, (code, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(character) ? character : code.toUpperCase();
  });
}
