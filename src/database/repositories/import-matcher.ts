import type { Driver, Mode, Result, Row, Session, SqlValue, Steps } from '../drivers/driver.ts';
import type { Login, ProxyAddress } from '../types.ts';
import type { ImportMemory, Undecided } from './import-memory.ts';
import type { ProxyIdentities } from './proxy-identities.ts';
import type { ProxyIdentity, ProxyUser } from './proxy-record.ts';

/** What an entry of a list is to the pool: another proxy, one (or, with a hidden password, several) it has, or open yet. */
export type Match = Decided | Open;

/** `login` is the stored login of the proxy, if it had to be read. */
export type Decided =
  | { is: 'new'; identity: ProxyIdentity }
  | { is: 'known'; ids: readonly string[]; login?: Login };

interface Open {
  is: 'open';
  identity: ProxyIdentity;
  only: Undecided['only'];
}

interface Found {
  id: string;
  position: SqlValue;
  password_fingerprint: SqlValue;
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

  /** Makes sure that the pool knows the usernames of its proxies at an address. */
  *prepare({ protocol, host, port }: ProxyAddress, login: Login | null | undefined): Steps<M, void> {
    if (!this.#hasUnnamed) return;
    const isBare = !login || (login.username === '' && login.password === '');
    const place = `${protocol} ${host} ${port} ${isBare ? 'bare' : 'login'}`;
    if (this.#memory.lookedAt.has(place)) return;
    const wereThere = yield* this.#identities.identifyUnnamed({ protocol, host, port }, isBare);
    if (wereThere) this.#memory.lookedAt.add(place);
  }

  /** For an entry with an address and username that the pool has. */
  *match(user: ProxyUser, login: Login | null | undefined): Steps<M, Match> {
    const [first, second] = (yield this.#withUsername(user, 2)) as Found[];
    if (first !== undefined && second === undefined) {
      const stored = yield* this.#sameLogin(first, login);
      if (stored !== null) return this.#found(first, stored);
    }
    const identity = this.#identities.complete(user, login);
    if (first === undefined) return { is: 'new', identity };
    const isHidden = identity.password_fingerprint === '';
    if (second === undefined) {
      if (first.password_fingerprint === identity.password_fingerprint) return this.#found(first);
      if (this.#memory.isFound(first.position)) return { is: 'new', identity };
      return { is: 'open', identity, only: { id: first.id, position: Number(first.position) } };
    }
    const known = yield* this.#findExact(identity);
    if (known !== null) return known;
    return isHidden ? { is: 'open', identity, only: null } : { is: 'new', identity };
  }

  /** For an entry that `match` left open, once the whole list is known. */
  *decide({ identity, only }: Undecided): Steps<M, Decided> {
    if (only !== null && this.#memory.isReplaced(only)) {
      // Between two transactions of an import somebody may have removed it, or added another one.
      const [first, second] = (yield this.#withUsername(identity, 2)) as Found[];
      if (second === undefined && first?.id === only.id) return { is: 'known', ids: [only.id] };
    }
    const known = yield* this.#findExact(identity);
    if (known !== null) return known;
    return only === null ? yield* this.#decideHidden(identity) : { is: 'new', identity };
  }

  /** The stored login of the only proxy with a username, if it is the entry's. Nobody needed a fingerprint of it yet. */
  *#sameLogin(only: Found, login: Login | null | undefined): Steps<M, Login | null> {
    if (only.password_fingerprint !== null || !login || login.password === '') return null;
    const stored = yield* this.#identities.loginOf(only.id);
    return stored !== 'unreadable' && stored?.password === login.password ? stored : null;
  }

  /** Several proxies have the username, and the list hides which one it means: all of them, unless it has one by its password. */
  *#decideHidden(identity: ProxyIdentity): Steps<M, Decided> {
    const { protocol, host, port, username_fingerprint } = identity;
    const name = `${protocol} ${host} ${port} ${username_fingerprint}`;
    let ids = this.#hidden.get(name);
    if (ids === undefined) {
      const found = (yield this.#withUsername(identity, Number.MAX_SAFE_INTEGER)) as Found[];
      if (found.some(({ position }) => this.#memory.isFound(position))) return { is: 'new', identity };
      ids = found.map(({ id }) => id);
      this.#hidden.set(name, ids);
    }
    return { is: 'known', ids };
  }

  *#findExact(identity: ProxyIdentity): Steps<M, Decided | null> {
    let known = (yield this.#exact(identity)) as Found | null;
    if (known === null && (yield* this.#identities.identifyNamed(identity)))
      known = (yield this.#exact(identity)) as Found | null;
    return known && this.#found(known);
  }

  #found({ id, position }: Found, login?: Login): Decided {
    this.#memory.find(position);
    return { is: 'known', ids: [id], ...(login && { login }) };
  }

  #exact(identity: ProxyIdentity): Result<M, Found | null> {
    return this.#db.first(
      `SELECT id, position, password_fingerprint FROM proxies
       WHERE host = :host AND port = :port AND protocol = :protocol
         AND username_fingerprint = :username_fingerprint AND password_fingerprint = :password_fingerprint`,
      { ...identity },
      toFound,
    );
  }

  #withUsername(
    { protocol, host, port, username_fingerprint }: ProxyUser,
    limit: number,
  ): Result<M, Found[]> {
    return this.#db.all(
      `SELECT id, position, password_fingerprint FROM proxies
       WHERE host = :host AND port = :port AND protocol = :protocol AND username_fingerprint = :username_fingerprint
       LIMIT :limit`,
      { protocol, host, port, username_fingerprint, limit },
      toFound,
    );
  }
}

function toFound({ id, position = null, password_fingerprint = null }: Row): Found {
  return { id: String(id), position, password_fingerprint };
}
