import { type Dispatcher, fetch, FormData as UndiciFormData, type RequestInit as UndiciInit } from 'undici';

/**
 * The `fetch` of undici with a dispatcher. It takes what the global `fetch` takes, also objects of the global classes `Request` and
 * `FormData`, which are others than those of undici.
 */
export async function fetchWith(
  dispatcher: Pick<Dispatcher, 'dispatch'>,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const [url, given] = input instanceof Request ? opened(input, init) : [input, init];
  const body = given?.body instanceof FormData ? ownForm(given.body) : given?.body;
  const options = { ...given, ...(body === undefined ? {} : { body }), dispatcher } as unknown as UndiciInit;
  return (await fetch(url, options)) as unknown as Response;
}

/** A request of the global class, as a URL and its options. What `init` says goes before what it says. */
function opened(request: Request, init: RequestInit | undefined): [string, RequestInit] {
  const { method, headers, body, signal, redirect, referrer, referrerPolicy, integrity, keepalive } = request;
  const own = { method, headers, signal, redirect, referrer, referrerPolicy, integrity, keepalive };
  const isSent = init?.body === undefined && body !== null;
  // A body that is a stream can be sent in one direction at a time.
  return [request.url, { ...own, ...(isSent ? { body, duplex: 'half' } : {}), ...init } as RequestInit];
}

function ownForm(form: FormData): UndiciFormData {
  const own = new UndiciFormData();
  for (const [name, value] of form) {
    if (typeof value === 'string') own.append(name, value);
    else own.append(name, value, value.name);
  }
  return own;
}
