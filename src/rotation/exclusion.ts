import { Candidates, FEW } from './candidates.ts';
import type { SlotSet } from './index/slot-set.ts';
import type { View } from './index/view.ts';
import type { PoolIndex } from './pool-index.ts';

const NOTHING: readonly number[] = [];
const NO_SCOPES: readonly SlotSet[] = [];

/**
 * Proxies that a request or a rule excludes, or that are out for its domain or session. Few are compared one by one; many are taken
 * out of a view, which is kept.
 */
export class Exclusion {
  readonly #index: PoolIndex;
  /** Of ids. */
  #few: readonly number[] = NOTHING;
  /** Null if there are few. */
  #many: ReadonlySet<string> | null = null;
  /** Those that have slots. */
  readonly #scopes: readonly SlotSet[] = NO_SCOPES;
  /** All slots that are compared one by one. */
  readonly #compared: readonly number[];
  /** The scopes that are taken out of views. */
  readonly #manyScopes: readonly SlotSet[] = NO_SCOPES;

  /**
   * @param ids those of the request.
   * @param byRule those of rules.
   * @param scopes what is out for the domain and the session.
   */
  constructor(
    index: PoolIndex,
    ids: ReadonlySet<string> | readonly string[],
    byRule: readonly string[],
    scopes: readonly SlotSet[] = NO_SCOPES,
  ) {
    this.#index = index;
    const count = Array.isArray(ids) ? ids.length : (ids as ReadonlySet<string>).size;
    if (count + byRule.length > 0) this.#exclude(ids, count, byRule);
    this.#compared = this.#few;
    if (scopes.length === 0) return;
    this.#scopes = scopes.filter(({ size }) => size > 0);
    const compared = [...this.#few];
    this.#manyScopes = this.#scopes.filter((scope) => {
      if (compared.length + scope.size > FEW) return true;
      compared.push(...scope);
      return false;
    });
    this.#compared = compared;
  }

  get isEmpty(): boolean {
    return this.#many === null && this.#few.length === 0 && this.#scopes.length === 0;
  }

  has(slot: number): boolean {
    return this.hasId(slot) || this.#scopes.some((scope) => scope.has(slot));
  }

  /** Whether the request or a rule excludes a proxy, whatever is out. */
  hasId(slot: number): boolean {
    return this.#few.includes(slot) || this.#many?.has(this.#index.columns.id(slot)) === true;
  }

  /** The members of a view that are not excluded, nor `other`. */
  candidates(view: View, other = -1): Candidates {
    const isWhole = this.#many === null && this.#manyScopes.length === 0;
    const rest = isWhole ? view : this.#index.without(view, this.#many, this.#manyScopes);
    return new Candidates(this.#index, rest, this.#compared, other);
  }

  /**
   * Whether a choice must be made again: a caller may have changed the Set since the view without it was made, and nobody tells.
   * Then the next view without it is made again from it.
   */
  isOutdated(slot: number): boolean {
    if (this.#many === null || (slot !== -1 && !this.has(slot))) return false;
    return this.#index.forgetWithout(this.#many);
  }

  #exclude(ids: ReadonlySet<string> | readonly string[], count: number, byRule: readonly string[]): void {
    if (byRule.length > FEW) this.#many = new Set([...ids, ...byRule]);
    else if (count > FEW) {
      // Those of rules are compared one by one: with them in it, the caller's Set would be another one each time.
      this.#many = setOf(ids);
      this.#few = slotsOf(this.#index, byRule);
    } else this.#few = slotsOf(this.#index, [...ids, ...byRule]);
  }
}

/** The caller's own Set if possible, by which the views without it are found again. */
function setOf(ids: ReadonlySet<string> | readonly string[]): ReadonlySet<string> {
  return ids instanceof Set ? ids : new Set(ids);
}

function slotsOf(index: PoolIndex, ids: readonly string[]): number[] {
  return ids.map((id) => index.slotOf(id)).filter((slot) => slot !== -1);
}
