import type { Login } from '../model/login.ts';
import type { SecretKey } from './secret-key.ts';

/** Makes the keyed fingerprints by which the pool tells logins apart without storing them in clear. */
export class FingerprintKey {
  readonly #usernames: SecretKey;
  readonly #passwords: SecretKey;

  constructor(key: SecretKey) {
    this.#usernames = key;
    this.#passwords = key.derive('proxyvault password fingerprint v1');
  }

  /** 128 bits in base64url. */
  username(username: string): string {
    return this.#usernames.fingerprint(username);
  }

  /** Bound to the username, so that equal passwords of two users have different fingerprints. 128 bits in base64url. */
  password({ username, password }: Login): string {
    // A login holds no control characters, so the separator keeps the two apart.
    return this.#passwords.fingerprint(`${username}\u0000${password}`);
  }
}
