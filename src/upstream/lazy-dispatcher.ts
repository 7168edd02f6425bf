import { EventEmitter } from 'node:events';
import type { Dispatcher } from 'undici';

import { ProxyVaultError } from '../errors.ts';
import { warnOfHandler } from './warn-of-handler.ts';

/** A dispatcher that both undici and the global `fetch` take, whose declarations are of other versions. */
export type LeaseDispatcher = Dispatcher &
  (RequestInit extends { dispatcher?: infer Given } ? NonNullable<Given> : unknown);

/** What sends requests. */
type Sender = Pick<Dispatcher, 'dispatch'>;
type Interceptor = Dispatcher.DispatcherComposeInterceptor;

/** How a handler is told of a failure: that of undici 7 and later, or of those before. */
interface Told {
  onResponseError?: (controller: null, error: Error) => void;
  onError?: (error: Error) => void;
}

/**
 * A dispatcher that loads undici with its first request. It owns no connection: what it loads finds those of its owner. So any number of
 * them may be made, and none has to be closed.
 */
class LazyDispatcher extends EventEmitter {
  readonly #load: () => Promise<Sender>;
  #loading: Promise<Sender> | null = null;

  constructor(load: () => Promise<Sender>) {
    super();
    this.#load = load;
  }

  /** @throws TypeError for a handler that is no object: nobody could be told of the answer. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (typeof handler !== 'object' || handler === null)
      throw new TypeError('The handler of a request must be an object.');
    this.#loading ??= this.#load();
    this.#loading
      .then((sender) => sender.dispatch(options, handler))
      .catch((error: Error) => tell(handler, error))
      .catch(warnOfHandler);
    return true;
  }

  /**
   * A dispatcher whose requests go through interceptors of undici, the last of them first. undici builds it with the first request, so that
   * handlers of its other versions, such as those of the global `fetch`, fit the interceptors too.
   *
   * @throws TypeError for what is no function.
   */
  compose(...interceptors: (Interceptor | Interceptor[])[]): LazyDispatcher {
    const given = interceptors.flat().filter((each) => each != null);
    for (const each of given)
      if (typeof each !== 'function') throw new TypeError('An interceptor of undici must be a function.');
    return new LazyDispatcher(async () => {
      const { Dispatcher } = await import(/* webpackMode: "eager" */ 'undici');
      const base = new Dispatcher();
      base.dispatch = (options, handler) => this.dispatch(options, handler);
      return base.compose(given);
    });
  }

  request(...given: unknown[]): Promise<unknown> {
    return this.#call('request', given);
  }

  stream(...given: unknown[]): Promise<unknown> {
    return this.#call('stream', given);
  }

  connect(...given: unknown[]): Promise<unknown> {
    return this.#call('connect', given);
  }

  upgrade(...given: unknown[]): Promise<unknown> {
    return this.#call('upgrade', given);
  }

  pipeline(): never {
    throw new ProxyVaultError(
      'UNSUPPORTED',
      'This dispatcher has no pipeline() of its own: use pipeline(url, { dispatcher }) of undici.',
    );
  }

  /** Does nothing: other requests of the same proxy, login and session use its connections too. They are closed when they are idle, and with the vault. */
  close(callback?: () => void): Promise<void> | undefined {
    if (callback === undefined) return Promise.resolve();
    queueMicrotask(callback);
    return undefined;
  }

  /** As `close`. */
  destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    return this.close(callback ?? (typeof error === 'function' ? error : undefined));
  }

  /** These of undici ask nothing of a dispatcher but `dispatch`. */
  async #call(name: 'request' | 'stream' | 'connect' | 'upgrade', given: unknown[]): Promise<unknown> {
    const { Dispatcher } = await import(/* webpackMode: "eager" */ 'undici');
    return Reflect.apply(Dispatcher.prototype[name], this, given);
  }
}

function tell(handler: Dispatcher.DispatchHandler, error: Error): void {
  const told = handler as Dispatcher.DispatchHandler & Told;
  if (told.onResponseError !== undefined) told.onResponseError(null, error);
  else told.onError?.(error);
}

/** A dispatcher of undici that is there at once. @param load what sends the requests; called with the first of them. */
export function lazyDispatcher(load: () => Promise<Sender>): LeaseDispatcher {
  return new LazyDispatcher(load) as unknown as LeaseDispatcher;
}
