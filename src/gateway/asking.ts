import { createHash, randomBytes } from 'node:crypto';

import { ProxyVaultError } from '../errors.ts';
import type { TemplateValues } from '../lists/index.ts';
import { type ChosenProxy, loginValues, type PoolRequest } from '../rotation/index.ts';
import { assertComplete, type ClientIdentity } from './identity.ts';
import { identityOfHeaders } from './identity-headers.ts';
import { mergeIdentities } from './merged-identity.ts';
import { type Refusal, refusal } from './replies.ts';
import { identityOfUsername } from './username.ts';
import type { KnownUser, Users } from './users.ts';

/** Who asks, and for what kind of proxy. */
export interface Asking {
  identity: ClientIdentity;
  user: KnownUser | null;
}

/** A login as the client has sent it. */
export interface ClientLogin {
  username: string;
  password: string;
}

const LOGIN_NEEDED = refusal(
  407,
  'LOGIN_NEEDED',
  'This gateway has users: give your username and password as those of the proxy.',
);
const LOGIN_MALFORMED = refusal(407, 'LOGIN_MALFORMED', 'Proxy-Authorization must be Basic, with base64.');
const LOGIN_WRONG = refusal(407, 'LOGIN_WRONG', 'The username or the password is wrong.');

/** The longest name of a session. */
const MOST_SESSION = 256;

/** Finds out who asks at one port. */
export class Asker {
  readonly #users: Users | null;
  /** What the port itself says. */
  readonly #fixed: ClientIdentity | null;

  constructor(users: Users | null, fixed: ClientIdentity | null) {
    this.#users = users;
    this.#fixed = fixed;
  }

  get needsLogin(): boolean {
    return this.#users !== null;
  }

  /**
   * @param rawHeaders of the request; SOCKS has none.
   * @param from the address of the client.
   */
  async ask(
    login: ClientLogin | null,
    rawHeaders: readonly string[] = [],
    from?: string,
  ): Promise<Asking | Refusal> {
    let words = login?.username ?? '';
    let user: KnownUser | null = null;
    if (this.#users !== null) {
      if (login === null) return LOGIN_NEEDED;
      try {
        const verified = await this.#users.verify(login.username, login.password, from);
        if (verified === null) return LOGIN_WRONG;
        ({ user, words } = verified);
      } catch (error) {
        // So many logins are being checked that this one would wait for long.
        return refusalOf(error, 503);
      }
    }
    try {
      const named = identityOfUsername(words);
      const identity = mergeIdentities(named, identityOfHeaders(rawHeaders));
      return { user, identity: assertComplete(this.#fixedBy(user, identity)) };
    } catch (error) {
      return refusalOf(error, 407);
    }
  }

  /** What the port and the user fix, and what was asked for besides. */
  #fixedBy(user: KnownUser | null, asked: ClientIdentity): ClientIdentity {
    const identity = this.#fixed === null ? asked : mergeIdentities(this.#fixed, asked);
    return user?.tags === undefined ? identity : mergeIdentities({ tags: user.tags }, identity);
  }
}

/**
 * The login of a `Proxy-Authorization` header; null without one.
 *
 * @returns a refusal for one that is not Basic: without what it says the request would leave as somebody else's.
 */
export function loginOf(header: string | undefined): ClientLogin | Refusal | null {
  if (header === undefined) return null;
  const [, encoded] = /^basic +([a-z0-9+/_-]+={0,2}) *$/i.exec(header) ?? [];
  if (encoded === undefined) return LOGIN_MALFORMED;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon === -1
    ? { username: text, password: '' }
    : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** What the pool is asked for. */
export function poolRequestOf({ identity, user }: Asking, domain: string, url?: string): PoolRequest {
  const { country, region, protocol, tags, strategy, ttlMs } = identity;
  return {
    url,
    domain,
    country,
    region,
    protocol,
    tags,
    strategy,
    session: sessionOf(identity, user),
    sessionTtlMs: ttlMs,
  };
}

/** What fills in the placeholders of the login of a proxy. */
export type Template = (proxy: ChosenProxy) => TemplateValues;

/** What fills in the placeholders of an upstream's login. Without a session each request is one of its own. */
export function templateOf({ identity, user }: Asking): Template {
  const { session, country, ttlMs } = identity;
  const single = (): string => randomBytes(6).toString('hex');
  return (proxy) =>
    loginValues({ session, user: user?.name, country: country ?? proxy.country, ttlMs }, single);
}

/** The same name of two users is two sessions. */
function sessionOf({ session }: ClientIdentity, user: KnownUser | null): string | undefined {
  if (session === undefined || user === null) return session;
  const name = `${user.name}/${session}`;
  return name.length <= MOST_SESSION ? name : createHash('sha256').update(name).digest('hex');
}

function refusalOf(error: unknown, status: number): Refusal {
  if (!(error instanceof ProxyVaultError)) throw error;
  return refusal(status, error.code, error.message);
}
