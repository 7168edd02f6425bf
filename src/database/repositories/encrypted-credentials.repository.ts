import { ProxyVaultError } from '../../errors.ts';
import type { EncryptedData, OpenedCredential } from '../../keys/binding.ts';
import { type Login, loginSchema } from '../../model/login.ts';
import type { ProxyAddress } from '../../model/proxy.ts';
import { assertId, assertObject, invalidInput, notFound, parse } from '../../model/validation.ts';
import {
  type CredentialCipher,
  type CredentialEncryption,
  rememberOrigin,
} from '../credential-encryption.ts';
import { type Mode, type Result, type Row, type Session, type Steps, step } from '../drivers/driver.ts';
import {
  type AddressedProxy,
  encryptedSchema,
  isSame,
  loginOf,
  movedError,
  parseTarget,
  type Target,
  toAddress,
  toEncrypted,
} from './credential-record.ts';
import { CredentialRowsRepository, SELECT_CREDENTIAL } from './credential-rows.repository.ts';
import { addCredential, assertKeyOfDatabase, putCredential } from './credential-store.ts';
import { ProxyIdentities } from './proxy-identities.ts';
import { Repository } from './repository.ts';

// A whole text: a driver finds its prepared statement by it.
const SELECT_ONE = `${SELECT_CREDENTIAL} WHERE c.proxy_id = :id`;

/** Ciphertext by proxy. `save` and `findByProxyId` move it; `store` and `reveal` encrypt and decrypt too. */
export class EncryptedCredentialsRepository<M extends Mode = 'sync'> extends Repository<M> {
  readonly #encryption: CredentialEncryption | null;
  readonly #identities: ProxyIdentities<M>;
  readonly #rows: CredentialRowsRepository<M>;

  constructor(session: Session<M>, encryption?: CredentialEncryption) {
    super(session);
    this.#encryption = encryption ?? null;
    this.#rows = new CredentialRowsRepository(session);
    this.#identities = new ProxyIdentities(session, this.#encryption, (id) => this.reveal(id));
  }

  /**
   * Stores what `EncryptionService.encrypt` gave, in place of what the proxy had. It is not bound to the proxy: `store` is.
   * The identity of the proxy is unknown then, until an import or `create` at its address reads the login.
   *
   * @throws NOT_FOUND if there is no such proxy; KEY_MISMATCH if the database has ciphertext of another key, or the key
   *   was retired; CANNOT_OPEN if every user of this machine may write the pool; INVALID_INPUT, also for what is bound to
   *   another proxy.
   * @example
   * const encryption = new EncryptionService();
   * new EncryptedCredentialsRepository(db).save(id, encryption.encrypt('my-password'));
   */
  save(proxyId: string, encrypted: EncryptedData): Result<M, void> {
    assertId(proxyId, 'proxyId');
    const data = parse(encryptedSchema, encrypted, 'encrypted data');
    this.session.assertMayHoldCredentials?.();
    if (data.boundTo !== undefined && data.boundTo !== proxyId) {
      throw invalidInput(
        `The credential is bound to proxy ${data.boundTo}, and decrypts for no other: reveal it there, and store it here.`,
      );
    }
    return this.db.transaction(() => this.#checkAndPut(proxyId, data));
  }

  /**
   * What `EncryptionService.decrypt` takes, or null.
   *
   * @example
   * const stored = vault.credentials.findByProxyId(id); // { ciphertext, iv, authTag, … } or null
   */
  findByProxyId(proxyId: string): Result<M, EncryptedData | null> {
    const id = assertId(proxyId, 'proxyId');
    return this.db.first(SELECT_ONE, { id }, (row) =>
      rememberOrigin(toEncrypted(row), { session: this.session, address: toAddress(row) }),
    );
  }

  /**
   * Encrypts a login and stores it, in place of what the proxy had. It is bound to the proxy and its address: it opens for
   * no other host, port or protocol. An id means the address that the proxy has now; give the proxy as you read it to be
   * sure which address that is. The login becomes part of the proxy's identity.
   *
   * @throws INVALID_INPUT; NOT_FOUND, also if the proxy has another address than the one given; CONFLICT, with
   *   `details.existingId`, if another proxy at the address has this login; CANNOT_OPEN if every user of this machine may
   *   write the pool; KEY_MISSING, KEY_MISMATCH, KEY_INVALID, KEY_EXHAUSTED.
   * @example
   * vault.credentials.store(id, { username: 'me', password: 's3cret' });
   */
  store(proxy: string | AddressedProxy, login: Login): Result<M, void> {
    const target = parseTarget(proxy);
    const valid = parse(loginSchema, login, 'login');
    this.session.assertMayHoldCredentials?.();
    const cipher = this.#cipher();
    return this.db.transaction(() => this.#sealAndPut(cipher, target, valid));
  }

  /**
   * As `store`, for a proxy of which the caller's transaction knows that it has this address and the login's identity: a login
   * added with another address does not open. Without a savepoint and a look at the proxy, an import is a seventh faster.
   *
   * @throws as `store`; INVALID_INPUT outside a transaction; CONSTRAINT if there is no such proxy.
   * @internal
   */
  add(proxy: AddressedProxy, login: Login): Result<M, void> {
    return this.db.sequence(() => this.#add(proxy, login));
  }

  /**
   * The login of a proxy, or null. What `save` stored is taken for a password without a username. Give the proxy as you
   * read it, and not its id alone, where you will send the login: then it is checked against the very address that you use.
   *
   * @throws CREDENTIAL_CORRUPT, also if the proxy's address was changed by other means than `ProxyRepository.update`, or the
   *   row belongs to another proxy or database; CONFLICT if the proxy now has another address than the one given;
   *   KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   * @example
   * const proxy = vault.pool.choose();
   * const login = vault.credentials.reveal(proxy); // { username: 'me', password: 's3cret' } or null
   */
  reveal(proxy: string | AddressedProxy): Result<M, Login | null> {
    return this.db.sequence(() => this.#reveal(proxy));
  }

  /**
   * The login in a row of a join that has the ciphertext of this table, and the address of the proxy.
   * @throws as `reveal`.
   * @internal
   */
  loginIn(row: Row): Result<M, Login> {
    return this.db.sequence(() => this.#loginIn(row));
  }

  /**
   * Encrypts the credential of a proxy for its new address, in the transaction that changed the address. A credential that is
   * not bound to an address stays as it is. Only opening it tells whether it is bound, since the row may lie: that needs the key.
   *
   * @throws INVALID_INPUT without an EncryptionService; CREDENTIAL_CORRUPT if it does not open at the old address; KEY_MISSING,
   *   KEY_MISMATCH, KEY_INVALID, KEY_EXHAUSTED.
   * @internal
   */
  *rebind(id: string, from: ProxyAddress | null, to: ProxyAddress): Steps<M, void> {
    parseTarget({ ...to, id });
    // No key rotation replaces the ciphertext between the read and the write. SQLite has one writer, which this is.
    yield this.db.lock('data keys', 'shared');
    const old = yield* step(
      this.db.first(
        `SELECT * FROM encrypted_credentials WHERE proxy_id = :id`,
        { id: assertId(id) },
        toEncrypted,
      ),
    );
    if (old === null) return;
    const cipher = this.#cipher('Changing the protocol, host or port of a proxy encrypts its login again.');
    const opened = yield* this.#openMoved(cipher, id, { from, to }, old);
    if (opened === null) return;
    const sealed = yield* step(cipher.seal(id, to, opened.content, opened.text));
    if (!(yield* step(this.#rows.swap(id, old, sealed)))) throw movedError(id);
  }

  /**
   * Whether a proxy has credentials.
   *
   * @example
   * if (!vault.credentials.exists(id)) console.log('It needs no login.');
   */
  exists(proxyId: string): Result<M, boolean> {
    return this.db.one(
      `SELECT 1 FROM encrypted_credentials WHERE proxy_id = :id`,
      { id: assertId(proxyId, 'proxyId') },
      (row) => row !== undefined,
    );
  }

  /**
   * How many proxies have credentials.
   *
   * @example
   * const logins = vault.credentials.count(); // 1200
   */
  count(): Result<M, number> {
    return this.db.one(`SELECT count(*) AS n FROM encrypted_credentials`, {}, (row) => Number(row?.n));
  }

  /**
   * Removes a proxy's credentials; says whether there were any. Its identity is then that of a proxy without a login.
   *
   * @example
   * vault.credentials.delete(id); // false if it had no login
   */
  delete(proxyId: string): Result<M, boolean> {
    const id = assertId(proxyId, 'proxyId');
    return this.db.transaction(() => this.#remove(id));
  }

  *#add(proxy: AddressedProxy, login: Login): Steps<M, void> {
    const { id, address } = parseTarget(proxy);
    const valid = parse(loginSchema, login, 'login');
    if (address === null) throw invalidInput('add takes a proxy, and not its id alone.');
    // While an INSERT by itself waited for the lock, another process could retire the key that has encrypted it.
    if (this.db.scope === null)
      throw invalidInput('add is for the transaction that adds the proxy: use store.');
    this.session.assertMayHoldCredentials?.();
    const sealed = yield* step(this.#cipher().seal(id, address, 'login', textOf(valid)));
    yield* step(addCredential(this.session, id, sealed));
  }

  *#reveal(proxy: string | AddressedProxy): Steps<M, Login | null> {
    const { id, address } = parseTarget(proxy);
    const row = yield* step(this.db.first(SELECT_ONE, { id }, (found) => found));
    if (row === null) return null;
    const current = toAddress(row);
    if (address && !(current && isSame(address, current))) throw movedError(id);
    return loginOf(id, yield* this.#open(this.#cipher(), id, current, toEncrypted(row)));
  }

  *#loginIn(row: Row): Steps<M, Login> {
    const id = String(assertObject(row, 'row').proxy_id);
    return loginOf(id, yield* this.#open(this.#cipher(), id, toAddress(row), toEncrypted(row)));
  }

  /** In one transaction: the key that encrypts is the primary when the row is stored, so that no rotation passes it by. */
  *#sealAndPut(cipher: CredentialCipher<M>, { id, address }: Target, login: Login): Steps<M, void> {
    const target = address ?? (yield* step(this.#addressOf(id)));
    const sealed = yield* step(cipher.seal(id, target, 'login', textOf(login)));
    yield* step(putCredential(this.session, id, sealed));
    yield* this.#identities.claim(id, yield* this.#identities.of(target, login));
  }

  *#remove(id: string): Steps<M, boolean> {
    const removed = yield* step(
      this.db.run(`DELETE FROM encrypted_credentials WHERE proxy_id = :id`, { id }),
    );
    if (removed > 0) yield* this.#identities.clear(id);
    return removed > 0;
  }

  #addressOf(id: string): Result<M, ProxyAddress> {
    return this.db.one(`SELECT id, protocol, host, port FROM proxies WHERE id = :id`, { id }, (row) => {
      const address = row && toAddress(row);
      if (address) return address;
      if (!row) throw notFound('proxy', id);
      throw new ProxyVaultError(
        'INVALID_ROW',
        `proxies ${id}: the address is malformed. Set protocol, host and port again, or delete the proxy.`,
        { details: { table: 'proxies', id } },
      );
    });
  }

  *#checkAndPut(proxyId: string, data: EncryptedData): Steps<M, void> {
    // The key that has encrypted it is not retired meanwhile. SQLite has one writer, which this is.
    yield* step(this.db.lock('data keys', 'shared'));
    if (data.keyId !== undefined) yield* assertKeyOfDatabase(this.db, proxyId, data.keyId);
    yield* step(putCredential(this.session, proxyId, data));
    yield* step(this.#identities.forget(proxyId));
  }

  /** What is to be encrypted for the new address; null for a credential that stays as it is. */
  *#openMoved(
    cipher: CredentialCipher<M>,
    proxyId: string,
    { from, to }: { from: ProxyAddress | null; to: ProxyAddress },
    encrypted: EncryptedData,
  ): Steps<M, OpenedCredential | null> {
    try {
      const opened = yield* this.#open(cipher, proxyId, from, encrypted);
      return opened.binding === 'none' ? null : opened;
    } catch (error) {
      if (!(error instanceof ProxyVaultError && error.code === 'CREDENTIAL_CORRUPT')) throw error;
      // A program has bound it by data of its own. If the row lies, it still opens at the address that it is bound to only.
      if (encrypted.boundTo === undefined) return null;
      // Throws unless it is bound to the new address already: a wrong address, set by SQL, is being put right.
      yield* this.#open(cipher, proxyId, to, encrypted);
      return null;
    }
  }

  *#open(
    cipher: CredentialCipher<M>,
    proxyId: string,
    address: ProxyAddress | null,
    encrypted: EncryptedData,
  ): Steps<M, OpenedCredential> {
    try {
      return yield* step(cipher.open(proxyId, address, encrypted));
    } catch (error) {
      if (!(error instanceof ProxyVaultError && error.code === 'CREDENTIAL_CORRUPT')) throw error;
      throw new ProxyVaultError('CREDENTIAL_CORRUPT', `${error.message} (proxy ${proxyId})`, {
        cause: error,
        details: { ...error.details, proxyId },
      });
    }
  }

  #cipher(why = ''): CredentialCipher<M> {
    if (this.#encryption) return this.#encryption.cipherOf(this.session);
    throw invalidInput(
      `${why} This needs a key: give an EncryptionService as the second argument of the repository\u2019s constructor, or as the option \`encryption\`.`.trim(),
    );
  }
}

function textOf({ username, password, rotateUrl }: Login): string {
  return JSON.stringify({ username, password, rotateUrl });
}
