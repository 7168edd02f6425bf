import { createHmac, randomBytes } from 'node:crypto';

import type { Login, ProxyConfig } from '../database/index.ts';
import type { ProxyRepository } from '../database/repositories/index.ts';

/**
 * Finds proxies of an export that an import would read back as one. The pool has them only at addresses with proxies whose
 * identity it does not know: those that an older version added twice, or whose login was stored as ciphertext.
 */
export class Repeats {
  readonly #proxies: ProxyRepository;
  readonly #isPossible: boolean;
  /** Ids by a keyed hash of address and login, so that no login stays in memory. */
  readonly #seen = new Map<string, string>();
  readonly #key = randomBytes(32);

  constructor(proxies: ProxyRepository) {
    this.#proxies = proxies;
    this.#isPossible = proxies.hasUnidentified();
  }

  /** The id of an earlier proxy with the same address and login, or null. */
  find(proxy: ProxyConfig, login: Login | null): string | null {
    if (!this.#isPossible || !this.#proxies.hasUnidentified(proxy)) return null;
    const { protocol, host, port } = proxy;
    const { username, password } = login ?? { username: '', password: '' };
    const identity = JSON.stringify([protocol, host, port, username, password]);
    const hash = createHmac('sha256', this.#key).update(identity).digest('base64');
    const earlier = this.#seen.get(hash);
    if (earlier === undefined) this.#seen.set(hash, proxy.id);
    return earlier ?? null;
  }
}
