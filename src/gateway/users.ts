import { createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';

import { text } from '../model/field-schemas.ts';
import { tagSchema } from '../model/proxy.ts';
import { parse } from '../model/validation.ts';
import { FewAtOnce } from './few-at-once.ts';
import { MOST_PASSWORD_BYTES, passwordSchema } from './hash-password.ts';
import { isPassword, newHash, noPassword, type PasswordHash, parseHash } from './password-hash.ts';

/** Who may use a gateway, with a password or its hash. */
export interface GatewayUser {
  /** 1 to 128 characters without a colon. */
  readonly name: string;
  /** 1 to 255 bytes. It is hashed at once and not kept. Give this or `passwordHash`. */
  readonly password?: string | undefined;
  /** What `hashPassword` gives, or `proxyvault serve --print-users`. */
  readonly passwordHash?: string | undefined;
  /** The most connections at a time. Default: no limit of the user's own. */
  readonly maxConnections?: number | undefined;
  /** The user only gets proxies that have each of these. */
  readonly tags?: readonly string[] | undefined;
}

/** A user without the password. */
export type KnownUser = Omit<GatewayUser, 'password' | 'passwordHash'>;

/** Whose login it is, and what the username says besides. */
export interface Verified {
  readonly user: KnownUser;
  /** The words of an identity that follow the name, such as `country-de`; or the empty text. */
  readonly words: string;
}

const MOST_USERS = 10_000;
/** scrypt runs on the threads of libuv, of which there are four: two stay free for files and names. */
const AT_ONCE = 2;
/** It takes some six seconds. */
const LONGEST_LINE = 256;
/** So many logins of one address may wait: whoever guesses passwords must not keep the others out. */
const MOST_OF_ONE = 64;
/** A name, a `-` and the words of an identity are no longer. */
const MOST_USERNAME = 128 + 1 + 2048;

const userSchema = z
  .strictObject({
    name: text(128).regex(/^[^:]*$/, 'has a colon'),
    password: passwordSchema.optional(),
    passwordHash: z
      .string()
      .refine((value) => parseHash(value) !== null, 'is no hash of `hashPassword`')
      .optional(),
    maxConnections: z.int().positive().optional(),
    tags: z.array(tagSchema).optional(),
  })
  .refine(
    ({ password, passwordHash }) => (password === undefined) !== (passwordHash === undefined),
    'give password or passwordHash',
  );
const usersSchema = z
  .array(userSchema)
  .max(MOST_USERS)
  .refine((users) => new Set(users.map(({ name }) => name)).size === users.length, 'two have the same name');

/** Users as they are given. @throws INVALID_INPUT, which never holds a password. */
export function checkedUsers(users: readonly GatewayUser[]): GatewayUser[] {
  return parse(usersSchema, users, 'users');
}

interface Entry {
  readonly user: KnownUser;
  /** Pending while a given password is hashed. */
  readonly hash: Promise<PasswordHash>;
}

/**
 * Who may use a gateway. Passwords are hashed as soon as they are given: to check a login the hash is enough, and what is not in memory
 * cannot leak from it.
 */
export class Users {
  readonly #entries = new Map<string, Entry>();
  /** The lengths of the names, the longest first. */
  readonly #lengths: readonly number[];
  /** The users whose login was verified, by an HMAC of name and password: scrypt runs once for a login and not for each request. */
  readonly #verified = new Map<string, KnownUser>();
  readonly #checks = new Map<string, Promise<KnownUser | null>>();
  readonly #key = randomBytes(32);
  readonly #nobody: Entry = { user: { name: '' }, hash: Promise.resolve(noPassword()) };
  readonly #few = new FewAtOnce(AT_ONCE, LONGEST_LINE, MOST_OF_ONE);

  /** @throws INVALID_INPUT, which never holds a password. */
  constructor(users: readonly GatewayUser[]) {
    const hashing = new FewAtOnce(1, MOST_USERS);
    for (const { name, password, passwordHash, maxConnections, tags } of checkedUsers(users)) {
      const known = passwordHash === undefined ? null : parseHash(passwordHash);
      const hash = known === null ? hashing.run(() => newHash(password ?? '')) : Promise.resolve(known);
      // A rejection is for those who wait for the hash.
      hash.catch(() => {});
      const user: KnownUser = Object.freeze({
        name,
        ...(maxConnections !== undefined && { maxConnections }),
        ...(tags !== undefined && { tags: Object.freeze(tags) }),
      });
      this.#entries.set(name, { user, hash });
    }
    this.#lengths = [...new Set(Array.from(this.#entries.keys(), ({ length }) => length))].sort(
      (a, b) => b - a,
    );
  }

  /** How many there are. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Whose login this is. The username is the name of a user, or the name, a `-` and the words of an identity; if several names fit, it
   * is the longest. An unknown name takes as long as a wrong password.
   *
   * @param from the address that the login comes from, which may not have all places in the line.
   * @returns null for a wrong login.
   * @throws BUSY if too many logins wait to be checked.
   */
  async verify(username: string, password: string, from?: string): Promise<Verified | null> {
    if (username.length > MOST_USERNAME) return null;
    const entry = this.#entryOf(username) ?? this.#nobody;
    const { name } = entry.user;
    const words = username.slice(name.length + 1);
    // Each unknown name has a key of its own, so that none waits for the check of another.
    const key = this.#keyOf(entry === this.#nobody ? username : name, password);
    const known = this.#verified.get(key);
    if (known !== undefined) return { user: known, words };
    const user = await this.#checkOnce(key, entry, password, from);
    return user === null ? null : { user, words };
  }

  /** Several connections of one client come with the same login at once: one check is enough. */
  #checkOnce(
    key: string,
    entry: Entry,
    password: string,
    from: string | undefined,
  ): Promise<KnownUser | null> {
    const running = this.#checks.get(key);
    if (running !== undefined) return running;
    const check = this.#check(key, entry, password, from).finally(() => this.#checks.delete(key));
    this.#checks.set(key, check);
    return check;
  }

  async #check(
    key: string,
    entry: Entry,
    password: string,
    from: string | undefined,
  ): Promise<KnownUser | null> {
    // A long text takes longer to hash. No password is that long, and none is empty.
    const short = password.length <= 4 * MOST_PASSWORD_BYTES ? password : '';
    const isRight = await this.#few.run(async () => isPassword(short, await entry.hash), from);
    if (!isRight || entry === this.#nobody) return null;
    // One password of each user is right, so there are no more of these than users.
    this.#verified.set(key, entry.user);
    return entry.user;
  }

  /** The longest name that fits. Only lengths that names have are tried: a username may have thousands of `-`. */
  #entryOf(username: string): Entry | undefined {
    for (const length of this.#lengths) {
      if (length !== username.length && username[length] !== '-') continue;
      const entry = this.#entries.get(username.slice(0, length));
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** The length keeps name and password apart: `a` and `b:c` are not `a:b` and `c`. */
  #keyOf(name: string, password: string): string {
    return createHmac('sha256', this.#key)
      .update(`${name.length}:${name}${password.normalize('NFC')}`)
      .digest('base64');
  }
}
