import { createHash } from 'node:crypto';

import type { TemplateValues } from '../lists/index.ts';

/** Who is to leave through a proxy, and from where. */
interface Leaving {
  session: string | undefined;
  /** The same session of two users is two sessions. */
  user?: string | undefined;
  /** ISO 3166. */
  country: string | null | undefined;
  /** How long the session lasts. */
  ttlMs: number | undefined;
}

/** How long the exit of a session lasts unless somebody says otherwise: ten minutes. */
const EXIT_MS = 600_000;

/**
 * What fills in the placeholders of a proxy's login when proxyvault itself connects: for the gateway, and for the requests of leases, so that
 * one session has one exit.
 *
 * @param single names the session of a request that has none. Most logins have no placeholder, and do not ask for it.
 */
export function loginValues(
  { session, user, country, ttlMs = EXIT_MS }: Leaving,
  single: () => string,
): TemplateValues {
  return {
    get session() {
      return session === undefined ? single() : exitSession(session, user);
    },
    // As providers write it, and as `proxyvault next` fills it in.
    country: country?.toLowerCase(),
    // Most providers count in minutes.
    ttl: Math.max(1, Math.round(ttlMs / 60_000)),
  };
}

/** A name that tells a text from others, of characters that add no words to the login of a proxy. */
export function exitName(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function exitSession(session: string, user: string | undefined): string {
  if (user === undefined && /^\w{1,64}$/.test(session)) return session;
  return exitName(`${user ?? ''}/${session}`);
}
