import type { StickyKey } from './sticky.ts';

/** What the database does not have yet of a mapping. Times are milliseconds since the epoch. */
interface Uses {
  count: number;
  lastUsed: number;
}

/** How often mappings of sessions and domains were used, by their names, since that was stored last. */
export class PendingUses {
  readonly session = new Map<string, Uses>();
  readonly domain = new Map<string, Uses>();

  /** How many mappings were used. */
  get count(): number {
    return this.session.size + this.domain.size;
  }

  add(kind: StickyKey['kind'], name: string, now: number): void {
    const uses = this[kind].get(name);
    if (uses === undefined) this[kind].set(name, { count: 1, lastUsed: now });
    else {
      uses.count++;
      uses.lastUsed = now;
    }
  }

  clear(): void {
    this.session.clear();
    this.domain.clear();
  }
}
