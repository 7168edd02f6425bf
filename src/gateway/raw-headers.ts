/** The values of all headers with a name that is given in small letters. */
export function valuesOf(rawHeaders: readonly string[], wanted: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === wanted.length && name.toLowerCase() === wanted) values.push(rawHeaders[at + 1] ?? '');
  }
  return values;
}

/** The names that `Connection` has, in small letters: headers for the next hop alone. */
export function namedByConnection(rawHeaders: readonly string[]): ReadonlySet<string> {
  const names = valuesOf(rawHeaders, 'connection').flatMap((value) => value.split(','));
  return new Set(names.map((name) => name.trim().toLowerCase()));
}

/** Whether a request has passed a proxy, by the name that its `Via` has of it (RFC 9110, 7.6.3). */
export function hasPassed(rawHeaders: readonly string[] | undefined, pseudonym: string): boolean {
  const hops = valuesOf(rawHeaders ?? [], 'via').flatMap((value) => value.split(','));
  return hops.some((hop) => hop.trim().split(/\s+/)[1]?.toLowerCase() === pseudonym);
}
