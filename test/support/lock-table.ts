type LockMode = 'exclusive' | 'shared';

interface Wait {
  lock: Lock;
  mode: LockMode;
  grant: () => void;
}

interface Lock {
  holders: Map<object, LockMode>;
  /** In the order in which they came. */
  waiting: Map<object, Wait>;
}

/** The named locks of one database. An owner holds what it has taken until it gives all of it back. */
export class LockTable {
  readonly #locks = new Map<string, Lock>();
  /** What each owner that waits waits for. */
  readonly #waits = new Map<object, Wait>();

  /** Resolves once `owner` holds the lock, after those that came before; rejects with `deadlock()` if that would never be. */
  acquire(name: string, owner: object, mode: LockMode, deadlock: () => Error): Promise<void> {
    const lock = this.#locks.get(name) ?? { holders: new Map(), waiting: new Map() };
    this.#locks.set(name, lock);
    const held = lock.holders.get(owner);
    if (held === 'exclusive' || held === mode) return Promise.resolve();
    return new Promise((grant, fail) => {
      const wait = { lock, mode, grant };
      // Whoever shares the lock and wants it alone goes before those who have nothing of it.
      lock.waiting = new Map(held ? [[owner, wait], ...lock.waiting] : [...lock.waiting, [owner, wait]]);
      this.#waits.set(owner, wait);
      if (!this.#isInCircle(owner)) return this.#serve(lock);
      this.#forget(owner);
      fail(deadlock());
    });
  }

  /** Gives back every lock of `owner`. */
  release(owner: object): void {
    this.#forget(owner);
    for (const lock of this.#locks.values()) if (lock.holders.delete(owner)) this.#serve(lock);
  }

  #forget(owner: object): void {
    const wait = this.#waits.get(owner);
    this.#waits.delete(owner);
    if (wait?.lock.waiting.delete(owner)) this.#serve(wait.lock);
  }

  #serve(lock: Lock): void {
    for (const [owner, { mode, grant }] of lock.waiting) {
      if (this.#blockers(owner).length > 0) return;
      lock.waiting.delete(owner);
      this.#waits.delete(owner);
      lock.holders.set(owner, mode);
      grant();
    }
  }

  /** Whom an owner waits for: those who hold the lock, and those who wait before it, unless they all share it. */
  #blockers(owner: object): object[] {
    const wait = this.#waits.get(owner);
    if (wait === undefined) return [];
    const { lock, mode } = wait;
    const before = [...lock.waiting].slice(0, [...lock.waiting.keys()].indexOf(owner));
    const others = [...lock.holders, ...before.map(([other, { mode }]) => [other, mode] as const)];
    return others
      .filter(([other, theirs]) => other !== owner && (mode === 'exclusive' || theirs === 'exclusive'))
      .map(([other]) => other);
  }

  #isInCircle(owner: object): boolean {
    const seen = new Set<object>();
    const next = this.#blockers(owner);
    for (let other = next.pop(); other !== undefined; other = next.pop()) {
      if (other === owner) return true;
      if (seen.has(other)) continue;
      seen.add(other);
      next.push(...this.#blockers(other));
    }
    return false;
  }
}
