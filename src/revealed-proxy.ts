import { inspect } from 'node:util';

import {
  fillTemplate,
  formatAddress,
  formatProxyUrl,
  MASK,
  placeholdersOf,
  type TemplateValues,
} from './lists/index.ts';
import type { Login } from './model/login.ts';
import type { ProxyAddress, ProxyConfig } from './model/proxy.ts';

/**
 * How to connect through a proxy, with its login. Only its fields give the login: `inspect`, `console.log` and
 * `JSON.stringify` show it masked, and a copy made by spreading has none of it.
 */
export class RevealedProxy {
  readonly #proxy: ProxyConfig;
  readonly #login: Login | null;

  /** @internal */
  constructor(proxy: ProxyConfig, login: Login | null) {
    this.#proxy = proxy;
    this.#login = login;
  }

  /** @internal With the placeholders of its login filled in. @throws INVALID_INPUT for one without a value. */
  filled(template: TemplateValues): RevealedProxy {
    const login = this.#login;
    if (login === null || placeholdersOf(login).length === 0) return this;
    return new RevealedProxy(this.#proxy, { ...login, ...fillTemplate(login, template) });
  }

  /** @internal */
  get hasLogin(): boolean {
    return this.#login !== null;
  }

  get protocol(): ProxyAddress['protocol'] {
    return this.#proxy.protocol;
  }

  get host(): string {
    return this.#proxy.host;
  }

  get port(): number {
    return this.#proxy.port;
  }

  /** `scheme://user:password@host:port` for a client: both parts of the login percent-encoded, IPv6 in brackets. */
  get url(): string {
    return formatProxyUrl({ ...this.#proxy, ...this.#login }, { reveal: true });
  }

  /** `scheme://host:port`, for a client that takes the login separately, as a browser does. */
  get server(): string {
    return `${this.#proxy.protocol}://${formatAddress(this.#proxy)}`;
  }

  /** Empty if the proxy has none. */
  get username(): string {
    return this.#login?.username ?? '';
  }

  /** Empty if the proxy has none. */
  get password(): string {
    return this.#login?.password ?? '';
  }

  /** The address that gives the proxy a new exit when it is requested; undefined if the provider has none. */
  get rotateUrl(): string | undefined {
    return this.#login?.rotateUrl;
  }

  /**
   * What a log shows: the address, and the login masked.
   *
   * @example
   * JSON.stringify(vault.reveal(id)); // '{"protocol":"http","host":"h.example","port":80,"url":"http://***:***@h.example:80"}'
   */
  toJSON(): object {
    const login = this.#login && { username: MASK, password: MASK };
    return {
      protocol: this.protocol,
      host: this.host,
      port: this.port,
      url: formatProxyUrl({ ...this.#proxy, ...login }),
    };
  }

  [inspect.custom](): string {
    return `RevealedProxy ${inspect(this.toJSON())}`;
  }
}
