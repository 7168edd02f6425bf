import type { CooldownKind } from '../../model/outcomes.ts';
import type { Circuit } from './circuit.ts';
import type { CircuitRegister } from './circuit-register.ts';
import type { Ramp } from './ramp.ts';

export interface HealthCounts {
  /** Whole proxies that are out, by the kind of the cooldown that lasts longest. */
  cooling: Partial<Record<CooldownKind, number>>;
  /** Whole proxies that may be tried once. */
  probing: number;
  /** Whole proxies that are unproven, or slowly coming back. */
  ramping: number;
  /** Pairs of a proxy and a domain or session that are out. */
  scopesOut: number;
}

/** Counts what is out. It costs as much as there are whole proxies with circuits. */
export function countHealth({ engine, person, scopesOut }: CircuitRegister, ramp: Ramp): HealthCounts {
  const counts: HealthCounts = {
    cooling: {},
    probing: 0,
    ramping: ramp.climbing,
    scopesOut: scopesOut.count,
  };
  const { cooling } = counts;
  const count = ({ kind }: Circuit) => {
    cooling[kind] = (cooling[kind] ?? 0) + 1;
  };
  for (const [slot, circuit] of engine.whole) {
    if (circuit.state === 'closed') continue;
    // It waits at the first step of its ramp.
    counts.ramping--;
    const longest = longer(circuit, person.whole.get(slot) ?? null);
    if (longest === null) counts.probing++;
    else count(longest);
  }
  for (const [slot, circuit] of person.whole) {
    const other = engine.whole.get(slot);
    if (other === undefined || other.state === 'closed') count(circuit);
  }
  return counts;
}

/** Which of two circuits is out, and for longer. */
export function longer(one: Circuit | null, other: Circuit | null): Circuit | null {
  if (one?.state !== 'cooling') return other?.state === 'cooling' ? other : null;
  if (other?.state !== 'cooling') return one;
  return (other.until ?? Number.POSITIVE_INFINITY) > (one.until ?? Number.POSITIVE_INFINITY) ? other : one;
}
