import { MASK } from '../lists/index.ts';

/**
 * Masks what was typed in the wrong place and may be a proxy or a URL with a login: all of it but a scheme. Our own words stay,
 * which may look like a login too.
 *
 * @param error a message that may repeat an argument, as it is or as JSON.
 */
export function withoutLogins(error: string, args: readonly string[]): string {
  // An error may name what is before or after an `=`.
  const typed = args.flatMap((arg) =>
    arg.split('=').flatMap((_, i, parts) => [parts.slice(0, i + 1).join('='), parts.slice(i).join('=')]),
  );
  return typed
    .filter((text) => /@|:\/\/|:.*:/s.test(text))
    .flatMap((text) => [text, JSON.stringify(text).slice(1, -1)])
    .sort((a, b) => b.length - a.length)
    .reduce(
      (rest, text) => rest.replaceAll(text, `${/^[a-z][a-z\d+.-]+:\/\//i.exec(text)?.[0] ?? ''}${MASK}`),
      error,
    );
}
