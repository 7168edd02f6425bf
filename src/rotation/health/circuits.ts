import type { Circuit, Scope } from './circuit.ts';

/** The circuits of one source: engine or person. Whole proxies have a Map of their own, since a dead list has many of them. */
export class Circuits {
  readonly whole = new Map<number, Circuit>();
  readonly #scoped = new Map<number, Map<Scope, Circuit>>();
  #scopedCount = 0;

  get scopedCount(): number {
    return this.#scopedCount;
  }

  find(slot: number, scope: Scope): Circuit | null {
    if (scope === '') return this.whole.get(slot) ?? null;
    return this.#scoped.get(slot)?.get(scope) ?? null;
  }

  has(slot: number): boolean {
    return this.whole.has(slot) || this.#scoped.has(slot);
  }

  add(circuit: Circuit): void {
    const { slot, scope } = circuit;
    if (scope === '') {
      this.whole.set(slot, circuit);
      return;
    }
    let scopes = this.#scoped.get(slot);
    if (scopes === undefined) {
      scopes = new Map();
      this.#scoped.set(slot, scopes);
    }
    if (!scopes.has(scope)) this.#scopedCount++;
    scopes.set(scope, circuit);
  }

  delete({ slot, scope }: Circuit): void {
    if (scope === '') {
      this.whole.delete(slot);
      return;
    }
    const scopes = this.#scoped.get(slot);
    if (scopes?.delete(scope)) this.#scopedCount--;
    if (scopes?.size === 0) this.#scoped.delete(slot);
  }

  /** The circuits of a slot: of the whole proxy first. */
  *of(slot: number): Generator<Circuit> {
    const whole = this.whole.get(slot);
    if (whole !== undefined) yield whole;
    yield* this.scopesOf(slot);
  }

  scopesOf(slot: number): Iterable<Circuit> {
    return this.#scoped.get(slot)?.values() ?? [];
  }

  *[Symbol.iterator](): Generator<Circuit> {
    yield* this.whole.values();
    for (const scopes of this.#scoped.values()) yield* scopes.values();
  }

  clear(): void {
    this.whole.clear();
    this.#scoped.clear();
    this.#scopedCount = 0;
  }
}
