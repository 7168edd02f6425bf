import type { Circuit } from './circuit.ts';

/** So many circuits of domains and sessions are remembered of each kind. Of the oldest a hundredth is forgotten at a time. */
const MOST = 100_000;

/** Circuits of scopes by age: those that are in, and those that are out or probing. */
export class ScopeAges {
  readonly #in = new Set<Circuit>();
  readonly #out = new Set<Circuit>();

  /** Takes note of what has become of a circuit: it is the youngest now. */
  note(circuit: Circuit): void {
    this.delete(circuit);
    if (circuit.source === 'engine') (circuit.state === 'closed' ? this.#in : this.#out).add(circuit);
  }

  delete(circuit: Circuit): void {
    this.#in.delete(circuit);
    this.#out.delete(circuit);
  }

  /** Those to be forgotten, since there are too many; the caller deletes each. */
  *surplus(): Generator<Circuit, void, undefined> {
    for (const circuits of [this.#in, this.#out]) {
      if (circuits.size <= MOST) continue;
      // To find the first of a Set is slow after many were deleted, so it is done for many at a time.
      let count = MOST / 100;
      for (const circuit of circuits) {
        if (count-- === 0) break;
        yield circuit;
      }
    }
  }
}
