import { Candidates, FEW } from './candidates.ts';
import type { SlotSet } from './index/slot-set.ts';
import type { View } from './index/view.ts';
import type { PoolIndex } from './pool-index.ts';

const NOTHING: readonly number[] = [];
const NO_SCOPES: readonly SlotSet[] = [];
/** Of scopes with a larger share of the usable proxies few draws would find one that is not excluded. */
const LARGEST_SHARE = 3 / 4;

/** What is out for the domain and the session. */
interface Scoped {
  all: readonly SlotSet[];
  /** The slots that are compared one by one, with those of few ids. */
  compared: readonly number[];
  /** The others, with `count` slots in all. */
  many: readonly SlotSet[];
  count: number;
}

/**
 * Proxies that a request or a rule excludes, or that are out for its domain or session. Few are compared one by one; many ids, and scopes
 * that have most of the pool, are taken out of a view, which is kept. Of smaller scopes there may be thousands, one for each domain: what
 * is drawn is looked for in them, and drawn again.
 */
export class Exclusion {
  readonly #index: PoolIndex;
  /** Of ids. */
  #few: readonly number[] = NOTHING;
  /** Null if there are few. */
  #many: ReadonlySet<string> | null = null;
  /** Null if nothing is out for the domain or session. */
  readonly #scoped: Scoped | null = null;

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
    if (scopes.length > 0) this.#scoped = scopedOf(scopes, this.#few);
  }

  get isEmpty(): boolean {
    return this.#many === null && this.#few.length === 0 && this.#scoped === null;
  }

  has(slot: number): boolean {
    return this.hasId(slot) || this.#scoped?.all.some((scope) => scope.has(slot)) === true;
  }

  /** Whether the request or a rule excludes a proxy, whatever is out. */
  hasId(slot: number): boolean {
    return this.#few.includes(slot) || this.#many?.has(this.#index.columns.id(slot)) === true;
  }

  /** The members of a view that are not excluded, nor `other`. */
  candidates(view: View, other = -1): Candidates {
    const few = this.#scoped?.compared ?? this.#few;
    const many = this.#scoped?.many ?? NO_SCOPES;
    if (many.length === 0) return new Candidates(this.#index, this.#without(view, NO_SCOPES), { few, other });
    const rest = (): View => this.#without(view, many);
    if (this.#hasMost) return new Candidates(this.#index, rest(), { few, other });
    return new Candidates(this.#index, this.#without(view, NO_SCOPES), { few, many, rest, other });
  }

  /**
   * Whether a choice must be made again: a caller may have changed the Set since the view without it was made, and nobody tells.
   * Then the next view without it is made again from it.
   */
  isOutdated(slot: number): boolean {
    if (this.#many === null || (slot !== -1 && !this.has(slot))) return false;
    return this.#index.forgetWithout(this.#many);
  }

  get #hasMost(): boolean {
    return this.#scoped !== null && this.#scoped.count > LARGEST_SHARE * this.#index.activeCount;
  }

  #without(view: View, scopes: readonly SlotSet[]): View {
    return this.#many === null && scopes.length === 0 ? view : this.#index.without(view, this.#many, scopes);
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

/** @param few the slots that are compared one by one anyway. Null if the scopes have no slots. */
function scopedOf(scopes: readonly SlotSet[], few: readonly number[]): Scoped | null {
  const all = scopes.filter(({ size }) => size > 0);
  if (all.length === 0) return null;
  const compared = [...few];
  const many = all.filter((scope) => {
    if (compared.length + scope.size > FEW) return true;
    compared.push(...scope);
    return false;
  });
  return { all, compared, many, count: many.reduce((sum, { size }) => sum + size, 0) };
}

/** The caller's own Set if possible, by which the views without it are found again. */
function setOf(ids: ReadonlySet<string> | readonly string[]): ReadonlySet<string> {
  return ids instanceof Set ? ids : new Set(ids);
}

function slotsOf(index: PoolIndex, ids: readonly string[]): number[] {
  return ids.map((id) => index.slotOf(id)).filter((slot) => slot !== -1);
}
