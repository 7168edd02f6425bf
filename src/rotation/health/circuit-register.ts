import type { CooldownKind, CooldownSource } from '../../model/outcomes.ts';
import { BadDomains } from './bad-domains.ts';
import { type Circuit, newCircuit, type Scope } from './circuit.ts';
import { Circuits } from './circuits.ts';
import { CooldownQueue } from './cooldown-queue.ts';
import type { Ramp } from './ramp.ts';
import { ScopeAges } from './scope-ages.ts';
import { ScopesOut } from './scopes-out.ts';

/**
 * Every circuit that there is, and what must be in step with their states: which slots and scopes are out, who waits for a time, and
 * how many there are. It decides nothing.
 */
export class CircuitRegister {
  readonly engine = new Circuits();
  readonly person = new Circuits();
  readonly scopesOut = new ScopesOut();
  /** Circuits whose time out is not over, and those that are in and whose past is not forgotten yet. */
  readonly queue = new CooldownQueue<Circuit>();
  readonly #ramp: Ramp;
  readonly #ages = new ScopeAges();
  readonly #badDomains = new BadDomains();
  #outliersOut = 0;

  constructor(ramp: Ramp) {
    this.#ramp = ramp;
  }

  /** How many whole proxies are out as outliers. */
  get outliersOut(): number {
    return this.#outliersOut;
  }

  /** For how many domains a proxy is out, or probing, for what may be its own fault. */
  badDomains(slot: number): number {
    return this.#badDomains.count(slot);
  }

  /** A circuit that is in. */
  add(slot: number, scope: Scope, source: CooldownSource): Circuit {
    const circuit = newCircuit(slot, scope, source);
    this[source].add(circuit);
    this.#ramp.setCircuits(slot, true);
    if (scope !== '') this.#ages.note(circuit);
    return circuit;
  }

  /** Every change of the state or the kind of a circuit is made here. */
  become(circuit: Circuit, state: Circuit['state'], kind: CooldownKind = circuit.kind): void {
    const { slot, scope } = circuit;
    this.#count(circuit, -1);
    circuit.state = state;
    circuit.kind = kind;
    this.#count(circuit, 1);
    const isOut =
      this.engine.find(slot, scope)?.state === 'cooling' ||
      this.person.find(slot, scope)?.state === 'cooling';
    if (scope === '') {
      this.#ramp.setOut(slot, isOut);
      return;
    }
    this.scopesOut.set(slot, scope, isOut);
    this.#badDomains.note(circuit);
    this.#ages.note(circuit);
  }

  /** Forgets a circuit, which is in after this. */
  delete(circuit: Circuit): void {
    const { slot, source } = circuit;
    if (circuit.state !== 'closed') this.become(circuit, 'closed');
    this.queue.delete(circuit);
    this.#ages.delete(circuit);
    this[source].delete(circuit);
    this.#ramp.setCircuits(slot, this.engine.has(slot) || this.person.has(slot));
  }

  /** The oldest of scopes, if there are too many; the caller deletes each. */
  surplus(): Iterable<Circuit> {
    return this.#ages.surplus();
  }

  /** Gives circuits their new slots; those that are gone leave. */
  moveTo(to: (slot: number) => number): void {
    const all = [...this.engine, ...this.person];
    for (const circuits of [this.engine, this.person]) circuits.clear();
    this.scopesOut.clear();
    this.#badDomains.clear();
    for (const circuit of all) {
      const slot = to(circuit.slot);
      if (slot === -1) {
        this.queue.delete(circuit);
        this.#ages.delete(circuit);
        this.#count(circuit, -1);
        continue;
      }
      circuit.slot = slot;
      this[circuit.source].add(circuit);
      this.#badDomains.note(circuit);
      if (circuit.scope !== '' && circuit.state === 'cooling') this.scopesOut.set(slot, circuit.scope, true);
    }
  }

  /** Counts an outlier that is out, or no longer counts it. */
  #count({ scope, source, state, kind }: Circuit, by: 1 | -1): void {
    if (state === 'cooling' && kind === 'outlier' && source === 'engine' && scope === '')
      this.#outliersOut += by;
  }
}
