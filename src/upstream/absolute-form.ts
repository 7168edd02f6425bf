import type { Dispatcher } from 'undici';

/** What only the proxy reads: a caller's own would be a second one. */
const OURS = ['proxy-authorization', 'proxy-connection'];

/** A request of plain HTTP as a proxy takes it: the whole URL in the place of the path, and the login (RFC 9112, 3.2.2). */
export function absoluteForm(
  options: Dispatcher.DispatchOptions,
  target: URL,
  login: string | null,
): Dispatcher.DispatchOptions {
  const pairs = pairsOf(options.headers).filter(([name]) => !OURS.includes(name.toLowerCase()));
  if (!pairs.some(([name]) => name.toLowerCase() === 'host')) pairs.push(['host', target.host]);
  if (login !== null) pairs.push(['proxy-authorization', login]);
  // undici takes a header that has several values as a list of them.
  const headers = pairs.flat() as string[];
  return { ...options, path: `${target.origin}${options.path}`, headers };
}

type Pair = [name: string, value: string | string[] | undefined];

/** Headers in each form that undici takes. */
function pairsOf(headers: Dispatcher.DispatchOptions['headers']): Pair[] {
  if (headers === undefined || headers === null) return [];
  if (Array.isArray(headers)) {
    const flat: unknown[] = headers;
    return flat.flatMap((name, index): Pair[] =>
      index % 2 === 0 ? [[String(name), flat[index + 1] as Pair[1]]] : [],
    );
  }
  if (Symbol.iterator in headers) return [...(headers as Iterable<[string, string]>)];
  return Object.entries(headers);
}
