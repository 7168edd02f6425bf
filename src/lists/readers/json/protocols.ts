import { type Scheme, schemesNamed } from '../../parts/scheme.ts';
import { fieldOf } from '../../record/field-names.ts';

/** What remains of a list's name without these is a protocol: `socks4_proxies`, `http-list`. */
const LIST_WORDS = /prox(?:y|ies)|list|servers?|[\s_-]/gi;
const LONGEST_NAME = 64;
/** How many objects with a protocol beside their lists are remembered. */
const MOST_PLACES = 64;

/** The protocols of the lists of a JSON document: from the names around them, and from members beside them. */
export class ListProtocols {
  /** By the path of an object, the protocol that a member of it names. */
  readonly #beside = new Map<string, readonly Scheme[]>();
  /** The paths of objects in which a list was read whose protocol was not known. */
  readonly #unnamed = new Set<string>();
  #path: readonly string[] | null = null;
  #schemes: readonly Scheme[] | null = [];

  /** The protocols of what is under a path: an empty list if nothing names one, null if a name has several. */
  of(path: readonly string[]): readonly Scheme[] | null {
    // The elements of a list share their path.
    if (path === this.#path) return this.#schemes;
    this.#path = path;
    this.#schemes = this.#find(path);
    return this.#schemes;
  }

  /** Begins a new object with this path. */
  enter(path: readonly string[]): void {
    this.#beside.delete(placeOf(path));
    this.#unnamed.delete(placeOf(path));
    this.#path = null;
  }

  /** Remembers a member of an object, if it names a protocol. False if a list was read already without it. */
  add(path: readonly string[], name: string, value: unknown): boolean {
    const schemes = fieldOf(name) === 'protocol' && typeof value === 'string' ? schemesNamed(value) : null;
    const place = placeOf(path);
    if (schemes === null || this.#beside.has(place)) return true;
    if (this.#beside.size < MOST_PLACES) this.#beside.set(place, schemes);
    return !this.#unnamed.has(place);
  }

  #find(path: readonly string[]): readonly Scheme[] | null {
    for (let length = path.length; length > 0; length--) {
      const named = schemesInName(path[length - 1] ?? '');
      if (named === null || named.length > 0) return named;
      const place = placeOf(path.slice(0, length - 1));
      const beside = this.#beside.get(place);
      if (beside) return beside;
      if (this.#unnamed.size < MOST_PLACES) this.#unnamed.add(place);
    }
    return [];
  }
}

/** The protocols in the name of a list, such as `socks5`, `http_proxies` or `eliteSocks4`; null if it has several words for one. */
export function schemesInName(name: string): readonly Scheme[] | null {
  if (name.length > LONGEST_NAME) return [];
  const whole = schemesNamed(name.replace(LIST_WORDS, ''));
  if (whole) return whole;
  const words = name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/socks[\s_-]*v?[\s_-]*([45])/gi, ' socks$1')
    .split(/[^a-z\d]+/i);
  const found = words.flatMap((word) => schemesNamed(word) ?? []);
  return found.length > 1 ? null : found;
}

function placeOf(path: readonly string[]): string {
  return path.join('\0');
}
