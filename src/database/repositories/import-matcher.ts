import type { Login } from '../../model/login.ts';
import type { ProxyAddress } from '../../model/proxy.ts';
import {
  type Mode,
  type Result,
  type Row,
  type Session,
  type SqlValue,
  type Steps,
  step,
} from '../drivers/driver.ts';
import { asUnreadable, type StoredLogin } from './credential-record.ts';
import type { ImportMemory, Undecided } from './import-memory.ts';
import type { ProxyParts } from './proxy-changes.ts';
import type { ProxyIdentity, ProxyUser } from './proxy-record.ts';
import { Repository } from './repository.ts';

/** What an entry of a list is to the pool: another proxy, one (or, with a hidden password, several) it has, or open yet. */
export type Match = Decided | Open;

export type Decided = { is: 'new'; identity: ProxyIdentity } | Known;

export interface Known {
  is: 'known';
  /** Several if the password is hidden; none if an earlier entry of the list means the same several ones. */
  found: readonly Found[];
  /** The stored login of the proxy, if it was decrypted. */
  stored?: Login;
  /** The pool has a fingerprint of the password, and the entry replaces that password. */
  replacesFingerprint?: boolean;
  /** An earlier line of the list was this proxy too. */
  isRepeated?: boolean;
}

interface Open {
  is: 'open';
  identity: ProxyIdentity;
  only: Undecided['only'];
}

/** A proxy of the pool that may be meant. */
export interface Found {
  id: string;
  password_fingerprint: SqlValue;
  /** The stored login as ciphertext; null if the proxy has none, undefined if it was not read. */
  credential: Row | null | undefined;
}

/**
 * Finds the proxies of a list in the pool. An entry is the proxy with its protocol, host, port, username and password. One
 * with a password that the pool does not have (or a hidden, that is empty, one) is the only proxy with that username, if the
 * pool has one, the list does not have that one by its own password, and no entry disagrees. That can be said only at the
 * end of the list; so no order of its lines changes the result. Any other entry is a new proxy.
 */
export class ImportMatcher<M extends Mode> extends Repository<M> {
  readonly #credentials: ProxyParts<M>['credentials'];
  readonly #identities: ProxyParts<M>['identities'];
  readonly #memory: ImportMemory;
  /** Usernames of several proxies, all of which an entry with a hidden password meant. */
  readonly #hidden = new Set<string>();
  #hasUnnamed = false;
  /** Several proxies have the username of the last entry. The next entry often has the same username. */
  #hadSeveral = false;

  constructor(session: Session<M>, { credentials, identities }: ProxyParts<M>, memory: ImportMemory) {
    super(session);
    this.#credentials = credentials;
    this.#identities = identities;
    this.#memory = memory;
  }

  /** To be called first in each transaction. */
  *begin(): Steps<M, void> {
    this.#hasUnnamed = yield* step(this.#identities.hasUnnamed());
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

  /** Null if the pool has no proxy with this address and username. */
  *match(user: ProxyUser, login: Login | null | undefined): Steps<M, Match | null> {
    const [first, second] = yield* step(this.#withUsername(user, { login: !this.#hadSeveral }));
    this.#hadSeveral = second !== undefined;
    if (first === undefined) return null;
    if (second === undefined && first.password_fingerprint === null && login && login.password !== '') {
      // Nobody needed a fingerprint of its password yet.
      const stored = yield* this.loginOf(first, user);
      if (stored !== 'unreadable' && stored?.password === login.password) return this.#found(first, stored);
    }
    const identity = yield* this.#identities.complete(user, login);
    const isHidden = identity.password_fingerprint === '';
    if (second === undefined) {
      if (first.password_fingerprint === identity.password_fingerprint) return this.#found(first);
      if (this.#memory.isFound(first.id)) return { is: 'new', identity };
      return { is: 'open', identity, only: first.id };
    }
    const known = yield* this.#findExact(identity);
    if (known !== null) return known;
    return isHidden ? { is: 'open', identity, only: null } : { is: 'new', identity };
  }

  /** For an entry that `match` left open, once the whole list is known. */
  *decide({ identity, only }: Undecided): Steps<M, Decided> {
    if (only !== null && this.#memory.isReplaced(only)) {
      // Between two transactions of an import somebody may have removed it, or added another one.
      const [first, second] = yield* step(this.#withUsername(identity, { login: true }));
      if (second === undefined && first?.id === only)
        return { is: 'known', found: [first], replacesFingerprint: first.password_fingerprint !== null };
    }
    const known = yield* this.#findExact(identity);
    if (known !== null) return known;
    return only === null ? yield* this.#decideHidden(identity) : { is: 'new', identity };
  }

  /** The stored login of a proxy that was found at this address. */
  *loginOf({ id, credential }: Found, { protocol, host, port }: ProxyAddress): Steps<M, StoredLogin> {
    if (credential === null) return null;
    try {
      return yield* step(
        credential === undefined
          ? this.#credentials.reveal(id)
          : this.#credentials.loginIn({ ...credential, protocol, host, port }),
      );
    } catch (error) {
      return asUnreadable(error);
    }
  }

  /** Several proxies have the username, and the list hides which one it means: all of them, unless it has one by its password. */
  *#decideHidden(identity: ProxyIdentity): Steps<M, Decided> {
    const { protocol, host, port, username_fingerprint } = identity;
    const name = `${protocol} ${host} ${port} ${username_fingerprint}`;
    if (this.#hidden.has(name)) return { is: 'known', found: [] };
    const found = yield* step(this.#withUsername(identity, { limit: Number.MAX_SAFE_INTEGER, login: false }));
    // Between two transactions of an import somebody may have removed all of them, or all but one.
    if (found.length === 0 || found.some(({ id }) => this.#memory.isFound(id)))
      return { is: 'new', identity };
    if (found.length > 1) this.#hidden.add(name);
    return { is: 'known', found };
  }

  *#findExact(identity: ProxyIdentity): Steps<M, Decided | null> {
    let known = yield* step(this.#exact(identity));
    if (known === null && (yield* this.#identities.identifyNamed(identity)))
      known = yield* step(this.#exact(identity));
    return known && this.#found(known);
  }

  #found(found: Found, stored?: Login): Known {
    const isRepeated = this.#memory.isFound(found.id);
    this.#memory.find(found.id);
    return { is: 'known', found: [found], isRepeated, ...(stored && { stored }) };
  }

  #exact(identity: ProxyIdentity): Result<M, Found | null> {
    return this.#identities.find(identity, (row) => toFound(row, false));
  }

  /** Reads the logins in the same statement, if the caller asks for them or nothing else tells a password. */
  #withUsername(
    { protocol, host, port, username_fingerprint }: ProxyUser,
    { limit = 2, login }: { limit?: number; login: boolean },
  ): Result<M, Found[]> {
    return this.db.all(
      // Each column costs time: only what is needed of a login, and not what the caller knows.
      `SELECT p.id AS proxy_id, p.password_fingerprint,
         c.encrypted_data, c.iv, c.auth_tag, c.key_id, c.binding, c.binding_version
       FROM proxies AS p LEFT JOIN encrypted_credentials AS c
         ON c.proxy_id = p.id AND (:login = 1 OR p.password_fingerprint IS NULL)
       WHERE p.host = :host AND p.port = :port AND p.protocol = :protocol
         AND p.username_fingerprint = :username_fingerprint
       LIMIT :limit`,
      { protocol, host, port, username_fingerprint, limit, login: login ? 1 : 0 },
      (row) => toFound(row, login),
    );
  }
}

function toFound(row: Row, wasRead: boolean): Found {
  const { proxy_id, password_fingerprint = null, encrypted_data = null } = row;
  const none = wasRead ? null : undefined;
  return {
    id: String(proxy_id),
    password_fingerprint,
    credential: encrypted_data === null ? none : row,
  };
}
