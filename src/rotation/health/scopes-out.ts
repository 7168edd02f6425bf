import { SlotSet } from '../index/slot-set.ts';
import type { Scope } from './circuit.ts';

/** Which slots are out for a domain or a session. */
export class ScopesOut {
  readonly #sets = { domain: new Map<string, SlotSet>(), session: new Map<string, SlotSet>() };
  #count = 0;

  /** How many pairs of a proxy and a domain or session are out. */
  get count(): number {
    return this.#count;
  }

  /** The slots that are out for a domain or session; null if no slot is. */
  outFor(kind: 'domain' | 'session', name: string): SlotSet | null {
    return this.#count === 0 ? null : (this.#sets[kind].get(name) ?? null);
  }

  set(slot: number, scope: Scope, isOut: boolean): void {
    const kind = scope.startsWith('domain ') ? 'domain' : 'session';
    const name = scope.slice(kind.length + 1);
    const sets = this.#sets[kind];
    let slots = sets.get(name);
    if (slots === undefined) {
      if (!isOut) return;
      slots = new SlotSet();
      sets.set(name, slots);
    }
    const before = slots.size;
    if (isOut) slots.add(slot);
    else slots.delete(slot);
    this.#count += slots.size - before;
    if (slots.size === 0) sets.delete(name);
  }

  clear(): void {
    this.#sets.domain.clear();
    this.#sets.session.clear();
    this.#count = 0;
  }
}
