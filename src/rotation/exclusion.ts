import { Candidates, FEW } from './candidates.ts';
import type { View } from './index/view.ts';
import type { PoolIndex } from './pool-index.ts';

const NOTHING: readonly number[] = [];

/** Proxies that a request or a rule excludes. Few are compared one by one; many are taken out of a view, which is kept. */
export class Exclusion {
  readonly #index: PoolIndex;
  readonly #few: readonly number[] = NOTHING;
  /** Null if there are few. */
  readonly #many: ReadonlySet<string> | null = null;

  /**
   * @param ids those of the request.
   * @param byRule those of rules.
   */
  constructor(index: PoolIndex, ids: ReadonlySet<string> | readonly string[], byRule: readonly string[]) {
    this.#index = index;
    const count = Array.isArray(ids) ? ids.length : (ids as ReadonlySet<string>).size;
    if (count + byRule.length === 0) return;
    if (byRule.length > FEW) this.#many = new Set([...ids, ...byRule]);
    else if (count > FEW) {
      // Those of rules are compared one by one: with them in it, the caller's Set would be another one each time.
      this.#many = setOf(ids);
      this.#few = slotsOf(index, byRule);
    } else this.#few = slotsOf(index, [...ids, ...byRule]);
  }

  get isEmpty(): boolean {
    return this.#many === null && this.#few.length === 0;
  }

  has(slot: number): boolean {
    return this.#few.includes(slot) || this.#many?.has(this.#index.columns.id(slot)) === true;
  }

  /** The members of a view that are not excluded, nor `other`. */
  candidates(view: View, other = -1): Candidates {
    const rest = this.#many === null ? view : this.#index.without(view, this.#many);
    return new Candidates(this.#index, rest, this.#few, other);
  }

  /**
   * Whether a choice must be made again: a caller may have changed the Set since the view without it was made, and nobody tells.
   * Then the next view without it is made again from it.
   */
  isOutdated(slot: number): boolean {
    if (this.#many === null || (slot !== -1 && !this.has(slot))) return false;
    return this.#index.forgetWithout(this.#many);
  }
}

/** The caller's own Set if possible, by which the views without it are found again. */
function setOf(ids: ReadonlySet<string> | readonly string[]): ReadonlySet<string> {
  return ids instanceof Set ? ids : new Set(ids);
}

function slotsOf(index: PoolIndex, ids: readonly string[]): number[] {
  return ids.map((id) => index.slotOf(id)).filter((slot) => slot !== -1);
}
