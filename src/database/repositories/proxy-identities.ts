import { ProxyVaultError } from '../../errors.ts';
import type { Login } from '../../model/login.ts';
import type { ProxyAddress } from '../../model/proxy.ts';
import { invalidInput } from '../../model/validation.ts';
import type { CredentialCipher, CredentialEncryption } from '../credential-encryption.ts';
import { type Mode, type Result, type Row, type Session, type Steps, step } from '../drivers/driver.ts';
import { isUnreadable } from './credential-record.ts';
import { alreadyThere, type LoginFingerprints, type ProxyIdentity, type ProxyUser } from './proxy-record.ts';
import { Repository } from './repository.ts';

/** A proxy as the pool knows its login. */
interface Stored {
  id: string;
  hasLogin: boolean;
  /** Null if the pool does not know all of it yet. */
  fingerprints: LoginFingerprints | null;
}

const NO_LOGIN: Login = { username: '', password: '' };

const SELECT = `
  SELECT id, username_fingerprint, password_fingerprint,
    EXISTS (SELECT 1 FROM encrypted_credentials WHERE proxy_id = id) AS has_login
  FROM proxies`;

/** Which proxies are the same: keeps the fingerprints of logins as the stored logins are, and finds proxies by them. */
export class ProxyIdentities<M extends Mode> extends Repository<M> {
  readonly #encryption: CredentialEncryption | null;
  readonly #reveal: (proxyId: string) => Result<M, Login | null>;

  /** `reveal` reads the stored login of a proxy. */
  constructor(
    session: Session<M>,
    encryption: CredentialEncryption | null,
    reveal: (proxyId: string) => Result<M, Login | null>,
  ) {
    super(session);
    this.#encryption = encryption;
    this.#reveal = reveal;
  }

  /** @throws INVALID_INPUT for a login without an EncryptionService; KEY_MISSING, KEY_MISMATCH, KEY_INVALID. */
  *of({ protocol, host, port }: ProxyAddress, login: Login | null | undefined): Steps<M, ProxyIdentity> {
    return { protocol, host, port, ...(yield* this.#fingerprintsOf(login ?? NO_LOGIN)) };
  }

  /** The part of `of` that an import needs of every proxy. @throws as `of`. */
  *userOf({ protocol, host, port }: ProxyAddress, login: Login | null | undefined): Steps<M, ProxyUser> {
    return { protocol, host, port, username_fingerprint: yield* this.#usernameOf(login ?? NO_LOGIN) };
  }

  /** The rest of `of`. */
  *complete(user: ProxyUser, login: Login | null | undefined): Steps<M, ProxyIdentity> {
    return { ...user, password_fingerprint: yield* this.#passwordOf(login ?? NO_LOGIN) };
  }

  /** The proxy that is known to have this identity, or null. */
  find<T>(identity: ProxyIdentity, map: (row: Row) => T): Result<M, T | null> {
    return this.db.first(
      `SELECT id AS proxy_id, password_fingerprint FROM proxies
       WHERE host = :host AND port = :port AND protocol = :protocol
         AND username_fingerprint = :username_fingerprint AND password_fingerprint = :password_fingerprint`,
      { ...identity },
      map,
    );
  }

  /** The id of the proxy that has this id or identity, or null. */
  findConflict(id: string, identity: ProxyIdentity): Result<M, string | null> {
    return this.db.first(
      `SELECT id FROM proxies WHERE id = :id
       UNION ALL
       SELECT id FROM proxies
       WHERE host = :host AND port = :port AND protocol = :protocol
         AND username_fingerprint = :username_fingerprint AND password_fingerprint = :password_fingerprint`,
      { ...identity, id },
      (row) => String(row.id),
    );
  }

  /** Whether there are proxies, at an address or at all, of which not even the username is known. */
  hasUnnamed(at: ProxyAddress | null = null): Result<M, boolean> {
    const there = at === null ? '' : 'host = :host AND port = :port AND protocol = :protocol AND';
    return this.db.one(
      // Of the id, since without statistics SQLite would go through all of an index that has every column that is asked for.
      `SELECT EXISTS (SELECT id FROM proxies WHERE ${there} username_fingerprint IS NULL) AS found`,
      at === null ? {} : { host: at.host, port: at.port, protocol: at.protocol },
      (row) => row?.found === 1,
    );
  }

  /** Makes this the identity of a proxy. @throws CONFLICT, with `details.existingId`, if another proxy has it. */
  *claim(id: string, identity: ProxyIdentity): Steps<M, void> {
    yield* this.#assertFree(identity, id);
    yield this.#setIfFree(id, identity);
  }

  /** @throws CONFLICT, with `details.existingId`, if a proxy at this address has the same login as this one. */
  *assertFreeAt(address: ProxyAddress, id: string): Steps<M, void> {
    let stored = yield* step(this.#findStored(id));
    if (stored?.fingerprints === null) {
      yield* this.#identifyAll([stored], false);
      stored = yield* step(this.#findStored(id));
    }
    // What cannot be read cannot be compared.
    if (stored?.fingerprints) yield* this.#assertFree({ ...address, ...stored.fingerprints }, id);
  }

  /** The proxy has another password, and is known not to become the same as another proxy by it. */
  replacePassword(id: string, { password_fingerprint }: ProxyIdentity): Result<M, number> {
    return this.db.run(
      `UPDATE proxies SET password_fingerprint = :password_fingerprint
       WHERE id = :id AND password_fingerprint IS NOT NULL AND password_fingerprint <> :password_fingerprint`,
      { id, password_fingerprint },
    );
  }

  /** The proxy has no login any more. If another one at its address has none either, its identity is unknown. */
  *clear(id: string): Steps<M, void> {
    yield this.forget(id);
    yield this.#setIfFree(id, yield* this.#fingerprintsOf(NO_LOGIN));
  }

  /** The login of the proxy was stored as ciphertext: its identity is unknown. */
  forget(id: string): Result<M, void> {
    return this.db.run(
      `UPDATE proxies SET username_fingerprint = NULL, password_fingerprint = NULL WHERE id = :id`,
      { id },
      () => undefined,
    );
  }

  /**
   * Reads the stored logins of the proxies (but `except`) that may have this identity, and stores their fingerprints. One that
   * cannot be read stays unknown.
   */
  *identify(identity: ProxyIdentity, except = ''): Steps<M, void> {
    yield* this.identifyUnnamed(identity, isBare(identity), except);
    yield* this.identifyNamed(identity, except);
  }

  /**
   * As `identify`, for the proxies at an address whose username is not known; says whether there were any. What is stored for
   * a bare proxy, without username and password, may be a change-IP URL alone: so it is looked at too.
   */
  *identifyUnnamed({ protocol, host, port }: ProxyAddress, forBare: boolean, except = ''): Steps<M, boolean> {
    const stored = this.db.all(
      `${SELECT} WHERE host = :host AND port = :port AND protocol = :protocol AND username_fingerprint IS NULL
       ORDER BY created_at, id`,
      { host, port, protocol },
      toStored,
    );
    const found = (yield* step(stored)).filter(({ hasLogin }) => hasLogin || forBare);
    return yield* this.#identifyAll(found, forBare, except);
  }

  /** As `identify`, for the proxies that are known to have the username; says whether there were any. */
  *identifyNamed(identity: ProxyIdentity, except = ''): Steps<M, boolean> {
    const { host, port, protocol, username_fingerprint } = identity;
    const stored = this.db.all(
      `${SELECT} WHERE host = :host AND port = :port AND protocol = :protocol
         AND username_fingerprint = :username_fingerprint AND password_fingerprint IS NULL`,
      { host, port, protocol, username_fingerprint },
      toStored,
    );
    // One that has lost its login keeps the username, so that an import brings the login back.
    const found = (yield* step(stored)).filter(({ hasLogin }) => hasLogin);
    return yield* this.#identifyAll(found, isBare(identity), except);
  }

  /** For a bare proxy no key is needed: what cannot be read without one stays unknown. */
  *#identifyAll(proxies: readonly Stored[], forBare: boolean, except = ''): Steps<M, boolean> {
    const wanted = proxies.filter(({ id }) => id !== except);
    for (const { id, hasLogin } of wanted) {
      if (hasLogin && this.#encryption === null) continue;
      try {
        const login = yield* step(this.#reveal(id));
        yield this.#setIfFree(id, yield* this.#fingerprintsOf(login ?? NO_LOGIN));
      } catch (error) {
        if (!isUnreadable(error) && !(forBare && isKeyProblem(error))) throw error;
      }
    }
    return wanted.length > 0;
  }

  *#assertFree(identity: ProxyIdentity, id: string): Steps<M, void> {
    yield* this.identify(identity, id);
    const existing = yield* step(this.find(identity, (row) => String(row.proxy_id)));
    if (existing !== null && existing !== id) throw alreadyThere(existing);
  }

  #findStored(id: string): Result<M, Stored | null> {
    return this.db.first(`${SELECT} WHERE id = :id`, { id }, toStored);
  }

  #setIfFree(
    id: string,
    { username_fingerprint, password_fingerprint }: LoginFingerprints,
  ): Result<M, number> {
    return this.db.run(
      `UPDATE proxies SET username_fingerprint = :username_fingerprint, password_fingerprint = :password_fingerprint
       WHERE id = :id AND NOT EXISTS (
         SELECT 1 FROM proxies AS other
         WHERE other.host = proxies.host AND other.port = proxies.port AND other.protocol = proxies.protocol
           AND other.username_fingerprint = :username_fingerprint
           AND other.password_fingerprint = :password_fingerprint AND other.id <> proxies.id)`,
      { id, username_fingerprint, password_fingerprint },
    );
  }

  *#fingerprintsOf(login: Login): Steps<M, LoginFingerprints> {
    return {
      username_fingerprint: yield* this.#usernameOf(login),
      password_fingerprint: yield* this.#passwordOf(login),
    };
  }

  *#usernameOf({ username }: Login): Steps<M, string> {
    if (username === '') return '';
    return yield* step(this.#cipher().fingerprint(username));
  }

  *#passwordOf(login: Login): Steps<M, string> {
    if (login.password === '') return '';
    return yield* step(this.#cipher().passwordFingerprint(login));
  }

  #cipher(): CredentialCipher<M> {
    if (this.#encryption === null)
      throw invalidInput(
        'Credentials need a key: give an EncryptionService as the second argument of the repository\u2019s constructor, or as the option `encryption`.',
      );
    return this.#encryption.cipherOf(this.session);
  }
}

function isBare({ username_fingerprint, password_fingerprint }: LoginFingerprints): boolean {
  return username_fingerprint === '' && password_fingerprint === '';
}

const KEY_PROBLEMS: readonly string[] = ['KEY_MISSING', 'KEY_MISMATCH', 'KEY_INVALID'];

function isKeyProblem(error: unknown): boolean {
  return error instanceof ProxyVaultError && KEY_PROBLEMS.includes(error.code);
}

function toStored({ id, has_login, username_fingerprint, password_fingerprint }: Row): Stored {
  const isKnown = typeof username_fingerprint === 'string' && typeof password_fingerprint === 'string';
  return {
    id: String(id),
    hasLogin: has_login === 1,
    fingerprints: isKnown ? { username_fingerprint, password_fingerprint } : null,
  };
}
