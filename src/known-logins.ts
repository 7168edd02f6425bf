import type { RevealedProxy } from './revealed-proxy.ts';

/** So many are known at a time. */
const MOST = 10_000;

/** The proxies that were revealed, with their logins, until anything in the database changes. */
export class KnownLogins {
  readonly #known = new Map<string, RevealedProxy>();
  #stamp = Number.NaN;

  /**
   * @param stamp of the state of the database.
   * @param reveal is called for one that is not known of this state.
   */
  get(id: string, stamp: number, reveal: (id: string) => RevealedProxy): RevealedProxy {
    if (stamp !== this.#stamp || this.#known.size >= MOST) this.clear();
    this.#stamp = stamp;
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const revealed = reveal(id);
    this.#known.set(id, revealed);
    return revealed;
  }

  clear(): void {
    this.#known.clear();
  }
}
