/** What has failed for so many domains that work for others, and worked for none in between, is no fault of a domain. */
const DOMAINS = 3;
/** So many domains are remembered of each proxy, the last ones. */
const MOST = 8;

interface Failures {
  domains: Set<string>;
  count: number;
}

/** For which domains each proxy has failed since it last succeeded. Only of those that have failed for a domain. */
export class Fruitless {
  readonly #failures = new Map<number, Failures>();

  /**
   * Takes note of a failure. Gives whether it is one of so many in a row, for different domains, that the proxy is at fault.
   *
   * @param isWorking whether a domain works for others now: a crawler meets many that work for nobody.
   */
  failed(slot: number, domain: string, least: number, isWorking: (domain: string) => boolean): boolean {
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
    if (domains.size < DOMAINS || failures.count < least) return false;
    let working = 0;
    for (const each of domains) if (isWorking(each)) working++;
    return working >= DOMAINS;
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
