/**
 * What a program under test says: what it is doing, and then that it is done, so that it must survive, or that it has
 * failed, so that nothing of it may be found.
 */

/** A proxy has its port as its name here: no two share one. */
export type Fact =
  /** One transaction made the proxy, its login, a sticky session, an event and a day of usage. */
  | { kind: 'created'; port: number; password: string }
  | { kind: 'password'; port: number; password: string }
  | { kind: 'requests'; port: number; requests: number }
  | { kind: 'removed'; port: number }
  /** One transaction made the proxies from port `from` to `to`, their logins included: `p` and the port. */
  | { kind: 'imported'; from: number; to: number }
  | { kind: 'version'; version: number }
  /** A copy with at least so many proxies. */
  | { kind: 'backup'; path: string; proxies: number }
  /** The pool is again as it was when these proxies had just been created; `gone` is of one that came later. */
  | { kind: 'restored'; ports: readonly number[]; gone: number }
  /** Of the keys; whatever happens, every login can be read. */
  | { kind: 'rotated' | 'moved' };

export type Line = { doing: Fact } | { done: Fact } | { failed: Fact };

/** Where a story has its files, below its root. */
export const POOL = 'data/pools/pool.db';
export const KEY = 'config/proxyvault/key';

type Outcome = 'doing' | 'done' | 'failed';

/** What must be found afterwards, and what may be. */
export class Expectation {
  /** By port: the passwords that a proxy may have; null in it: it may be missing. */
  readonly passwords = new Map<number, Set<string | null>>();
  readonly requests = new Map<number, Set<number>>();
  /** Ports of proxies that came with rows in four other tables. */
  readonly created = new Set<number>();
  /** Ports that came in one transaction: all of them or none. */
  readonly lists: { from: number; to: number }[] = [];
  /** Whether a copy must be there; if not, it may. */
  readonly backups = new Map<string, { proxies: number; isDone: boolean }>();
  /** It is under way: all of the old pool is there, or all of the new one. */
  restore: { ports: readonly number[]; gone: number } | null = null;
  versions = new Set<number>();
  /** Something was acknowledged, so that there must be a pool. */
  isBegun = false;

  constructor(lines: readonly Line[]) {
    for (const line of lines) {
      if ('done' in line) {
        this.isBegun = true;
        this.#take(line.done, 'done');
      } else if ('doing' in line) this.#take(line.doing, 'doing');
    }
  }

  /**
   * The same for a program that has not been interrupted: what it says has failed is as it was before. What it has begun and
   * says no more of is in doubt.
   */
  static afterFailures(lines: readonly Line[]): Expectation {
    const expectation = new Expectation([]);
    for (const [index, line] of lines.entries()) {
      const next = lines[index + 1];
      if ('done' in line) expectation.#take(line.done, 'done');
      else if ('failed' in line) expectation.#take(line.failed, 'failed');
      else if (next === undefined || 'doing' in next) expectation.#take(line.doing, 'doing');
    }
    return expectation;
  }

  #take(fact: Fact, outcome: Outcome): void {
    switch (fact.kind) {
      case 'created':
        this.created.add(fact.port);
        this.#may(this.passwords, fact.port, fact.password, outcome, [null]);
        break;
      case 'password':
        this.#may(this.passwords, fact.port, fact.password, outcome, []);
        break;
      case 'removed':
        this.#may(this.passwords, fact.port, null, outcome, []);
        break;
      case 'requests':
        this.#may(this.requests, fact.port, fact.requests, outcome, [0]);
        break;
      case 'imported':
        if (outcome !== 'done') this.lists.push(fact);
        for (let port = fact.from; port < fact.to; port++)
          this.#may(this.passwords, port, `p${port}`, outcome, [null]);
        break;
      case 'restored':
        for (const port of fact.ports) this.#may(this.passwords, port, `first-${port}`, outcome, []);
        this.#may(this.passwords, fact.gone, null, outcome, []);
        if (outcome === 'doing') this.restore = fact;
        else this.restore = null;
        break;
      case 'version':
        this.versions = versionsAfter(this.versions, fact.version, outcome);
        break;
      case 'backup':
        // While it is replaced, the older copy or the new one is there.
        if (outcome === 'done') this.backups.set(fact.path, { proxies: fact.proxies, isDone: true });
        else if (!this.backups.has(fact.path)) this.backups.set(fact.path, { proxies: 0, isDone: false });
        break;
    }
  }

  /** What is done is the only value that may be found; what is being done may be, besides what was before. */
  #may<T>(values: Map<number, Set<T>>, port: number, value: T, outcome: Outcome, before: readonly T[]): void {
    const earlier = values.get(port) ?? before;
    values.set(
      port,
      new Set(outcome === 'done' ? [value] : outcome === 'doing' ? [...earlier, value] : earlier),
    );
  }
}

function versionsAfter(versions: Set<number>, version: number, outcome: Outcome): Set<number> {
  if (outcome === 'done') return new Set([version]);
  return outcome === 'doing' ? new Set([...versions, version]) : versions;
}
