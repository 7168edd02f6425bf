/** What fails for so many domains that work for others is no fault of a domain. */
export const DOMAINS_OF_THE_PROXY = 3;
/** So unlikely must it be that by chance all of these requests met domains that fail. */
const CHANCE = 1e-4;
/** So many domains are remembered of each proxy, the last ones. */
const MOST = 8;

/** When failures in a row are the fault of the proxy. */
export interface FruitlessRule {
  /** So many failures in a row it takes at least. */
  least: number;
  /** Whether a domain works for others now. */
  isWorking: (domain: string) => boolean;
  /** Which share of all requests fails in such a way. */
  outageShare: number;
}

interface Failures {
  domains: Set<string>;
  count: number;
}

/** For which domains each proxy has failed since it last succeeded. Only of those that have failed for a domain. */
export class Fruitless {
  readonly #failures = new Map<number, Failures>();

  /**
   * Takes note of a failure. Gives whether it is one of so many in a row, for different domains, that the proxy is at fault. That is so
   * if those domains work for others now, or if so many failures in a row can hardly be chance: a crawler meets domains that are dead.
   */
  failed(slot: number, domain: string, { least, isWorking, outageShare }: FruitlessRule): boolean {
    let failures = this.#failures.get(slot);
    if (failures === undefined) {
      failures = { domains: new Set(), count: 0 };
      this.#failures.set(slot, failures);
    }
    const { domains } = failures;
    domains.delete(domain);
    domains.add(domain);
    for (const oldest of domains) {
      if (domains.size <= MOST) break;
      domains.delete(oldest);
    }
    failures.count++;
    if (domains.size < DOMAINS_OF_THE_PROXY || failures.count < least) return false;
    if (outageShare ** failures.count < CHANCE) return true;
    let working = 0;
    for (const each of domains) if (isWorking(each)) working++;
    return working >= DOMAINS_OF_THE_PROXY;
  }

  /** Forgets the failures of a slot. */
  delete(slot: number): void {
    if (this.#failures.size !== 0) this.#failures.delete(slot);
  }

  moveTo(to: (slot: number) => number): void {
    const all = [...this.#failures];
    this.#failures.clear();
    for (const [from, failures] of all) {
      const slot = to(from);
      if (slot !== -1) this.#failures.set(slot, failures);
    }
  }
}
