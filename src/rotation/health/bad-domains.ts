import { isOutageKind } from './charged-scope.ts';
import type { Circuit } from './circuit.ts';

/** For which domains each proxy is out, or probing, for what may be its own fault. */
export class BadDomains {
  readonly #circuits = new Map<number, Set<Circuit>>();

  count(slot: number): number {
    return this.#circuits.get(slot)?.size ?? 0;
  }

  /** Takes note of what has become of a circuit. */
  note(circuit: Circuit): void {
    const { slot, scope, source, state, kind, isAsked } = circuit;
    if (source !== 'engine' || !scope.startsWith('domain ')) return;
    const domains = this.#circuits.get(slot);
    if (state !== 'closed' && isOutageKind(kind) && !isAsked) {
      if (domains === undefined) this.#circuits.set(slot, new Set([circuit]));
      else domains.add(circuit);
    } else if (domains?.delete(circuit) && domains.size === 0) {
      this.#circuits.delete(slot);
    }
  }

  clear(): void {
    this.#circuits.clear();
  }
}
