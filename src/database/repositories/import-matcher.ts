import type { Driver, Mode, Result, Session, SqlValue, Steps } from '../drivers/driver.ts';
import type { ImportMemory, Undecided } from './import-memory.ts';
import type { ProxyIdentities } from './proxy-identities.ts';
import type { ProxyIdentity } from './proxy-record.ts';

/** What an entry of a list is to the pool: another proxy, one (or, with a hidden password, several) it has, or open yet. */
export type Match = { is: 'new' } | { is: 'known'; ids: readonly string[] } | Open;

interface Open {
  is: 'open';
  only: Undecided['only'];
}

interface Found {
  id: string;
  position: SqlValue;
}

/**
 * Finds the proxies of a list in the pool. An entry is the proxy with its protocol, host, port, username and password. One
 * with a password that the pool does not have (or a hidden, that is empty, one) is the only proxy with that username, if the
 * pool has one, the list does not have that one by its own password, and no entry disagrees. That can be said only at the
 * end of the list; so no order of its lines changes the result. Any other entry is a new proxy.
 */
export class ImportMatcher<M extends Mode> {
  readonly #db: Driver<M>;
  readonly #identities: ProxyIdentities<M>;
  readonly #memory: ImportMemory;
  /** Who is meant by a username with a hidden password that several proxies have. */
  readonly #hidden = new Map<string, readonly string[]>();
  #hasUnnamed = false;

  constructor(session: Session<M>, identities: ProxyIdentities<M>, memory: ImportMemory) {
    this.#db = session.driver;
    this.#identities = identities;
    this.#memory = memory;
  }

  /** To be called first in each transaction. */
  *begin(): Steps<M, void> {
    this.#hasUnnamed = (yield this.#identities.hasUnnamed()) as boolean;
  }

  /** Makes sure that the pool knows the identities of its proxies at an address. */
  *prepare(identity: ProxyIdentity): Steps<M, void> {
    if (!this.#hasUnnamed) return;
    const { protocol, host, port, username_fingerprint } = identity;
    const place = `${protocol} ${host} ${port} ${username_fingerprint === '' ? 'bare' : 'login'}`;
    if (this.#memory.lookedAt.has(place)) return;
    if (yield* this.#identities.identifyUnnamed(identity)) this.#memory.lookedAt.add(place);
  }

  /** For an entry with an address and username that the pool has. */
  *match(identity: ProxyIdentity): Steps<M, Match> {
    const known = yield* this.#findExact(identity);
    if (known !== null) return known;
    const [first, second] = (yield this.#withUsername(identity, 2)) as Found[];
    if (first === undefined) return { is: 'new' };
    const isHidden = identity.password_fingerprint === '';
    if (second === undefined ? this.#memory.isFound(first.position) : !isHidden) return { is: 'new' };
    const only = second === undefined ? { id: first.id, position: Number(first.position) } : null;
    return { is: 'open', only };
  }

  /** For an entry that `match` left open, once the whole list is known. */
  *decide(identity: ProxyIdentity, only: Undecided['only']): Steps<M, Exclude<Match, Open>> {
    const known = yield* this.#findExact(identity);
    if (known !== null) return known;
    if (only === null) return yield* this.#decideHidden(identity);
    if (!this.#memory.isReplaced(only)) return { is: 'new' };
    // Between two transactions of an import somebody may have removed it, or added another one.
    const [first, second] = (yield this.#withUsername(identity, 2)) as Found[];
    const isStill = second === undefined && first?.id === only.id;
    return isStill ? { is: 'known', ids: [only.id] } : { is: 'new' };
  }

  /** Several proxies have the username, and the list hides which one it means: all of them, unless it has one by its password. */
  *#decideHidden(identity: ProxyIdentity): Steps<M, Exclude<Match, Open>> {
    const { protocol, host, port, username_fingerprint } = identity;
    const name = `${protocol} ${host} ${port} ${username_fingerprint}`;
    let ids = this.#hidden.get(name);
    if (ids === undefined) {
      const found = (yield this.#withUsername(identity, Number.MAX_SAFE_INTEGER)) as Found[];
      if (found.some(({ position }) => this.#memory.isFound(position))) return { is: 'new' };
      ids = found.map(({ id }) => id);
      this.#hidden.set(name, ids);
    }
    return { is: 'known', ids };
  }

  *#findExact(identity: ProxyIdentity): Steps<M, Exclude<Match, Open> | null> {
    let known = (yield this.#exact(identity)) as Found | null;
    if (known === null && (yield* this.#identities.identifyNamed(identity)))
      known = (yield this.#exact(identity)) as Found | null;
    if (known === null) return null;
    this.#memory.find(known.position);
    return { is: 'known', ids: [known.id] };
  }

  #exact(identity: ProxyIdentity): Result<M, Found | null> {
    return this.#db.first(
      `SELECT id, position FROM proxies
       WHERE host = :host AND port = :port AND protocol = :protocol
         AND username_fingerprint = :username_fingerprint AND password_fingerprint = :password_fingerprint`,
      { ...identity },
      toFound,
    );
  }

  #withUsername(
    { protocol, host, port, username_fingerprint }: ProxyIdentity,
    limit: number,
  ): Result<M, Found[]> {
    return this.#db.all(
      `SELECT id, position FROM proxies
       WHERE host = :host AND port = :port AND protocol = :protocol AND username_fingerprint = :username_fingerprint
       LIMIT :limit`,
      { protocol, host, port, username_fingerprint, limit },
      toFound,
    );
  }
}

function toFound(row: { [column: string]: SqlValue }): Found {
  return { id: String(row.id), position: row.position ?? null };
}
