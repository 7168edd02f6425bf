import { z } from 'zod';

import { countrySchema } from '../model/country.ts';
import { DURATION_FORMS, parseDuration } from '../model/duration.ts';
import { sessionSchema } from '../model/field-schemas.ts';
import { type ProxyProtocol, protocolSchema, regionSchema, tagSchema } from '../model/proxy.ts';
import { type RotationStrategy, strategySchema } from '../model/rotation.ts';
import { invalidInput, parse } from '../model/validation.ts';

/** Who asks: what the pool is to give to a client of the gateway. */
export interface ClientIdentity {
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country?: string | undefined;
  readonly region?: string | undefined;
  readonly session?: string | undefined;
  /** How long the session keeps its proxy after its last use, in milliseconds. The session may be said elsewhere: by the port, the user or the request. */
  readonly ttlMs?: number | undefined;
  readonly protocol?: ProxyProtocol | undefined;
  /** A proxy must have each of them. */
  readonly tags?: readonly string[] | undefined;
  readonly strategy?: RotationStrategy | undefined;
}

/** The words of an identity, as a username, a header or `--listen` has them. */
export const IDENTITY_WORDS = ['country', 'region', 'session', 'ttl', 'protocol', 'tag', 'strategy'] as const;
export type IdentityWord = (typeof IDENTITY_WORDS)[number];

/** A word and its value, in which a `%` begins an escape of UTF-8. */
export type IdentityPair = readonly [word: IdentityWord, value: string];

/** An identity that asks for nothing. */
export const ANYBODY: ClientIdentity = Object.freeze({});

/** Ten years: longer times are a slip. */
const LONGEST_TTL = 10 * 365 * 86_400_000;

/** Most providers count the time of a session in minutes. */
const ttlSchema = z.string().transform((text, context) => {
  const ttlMs = parseDuration(/^\d+$/.test(text) ? `${text}m` : text);
  if (ttlMs !== null && ttlMs >= 1 && ttlMs <= LONGEST_TTL) return Math.ceil(ttlMs);
  context.addIssue(
    `must be a number of minutes, or ${DURATION_FORMS}; and more than 0 and at most ten years`,
  );
  return z.NEVER;
});

const valuesSchema = z
  .strictObject({
    country: countrySchema,
    region: regionSchema,
    session: sessionSchema,
    ttl: ttlSchema,
    protocol: z.string().toLowerCase().pipe(protocolSchema),
    tag: tagSchema,
    strategy: z.string().toLowerCase().pipe(strategySchema),
  })
  .partial();

/** An identity as a program gives it. */
const fieldsSchema = z
  .strictObject({
    country: countrySchema,
    region: regionSchema,
    session: sessionSchema,
    ttlMs: z.int().positive().max(LONGEST_TTL),
    protocol: protocolSchema,
    tags: z.array(tagSchema),
    strategy: strategySchema,
  })
  .partial();

/** @returns the word that a text is, in any case; null if it is not one. */
export function identityWord(text: string): IdentityWord | null {
  const lower = text.toLowerCase();
  return IDENTITY_WORDS.find((word) => word === lower) ?? null;
}

/**
 * The identity of these words. Only `tag` may repeat.
 *
 * @throws INVALID_INPUT, which says what is allowed and never repeats a value: somebody may have put a password there.
 */
export function identityOf(pairs: Iterable<IdentityPair>): ClientIdentity {
  const values: z.output<typeof valuesSchema> = {};
  const tags = new Set<string>();
  for (const [word, text] of pairs) {
    if (text === '')
      throw invalidInput(`The identity has no value for ${word}: give one, or leave the word out.`);
    if (word !== 'tag' && word in values)
      throw invalidInput(`The identity has ${word} twice. Only tag may repeat.`);
    Object.assign(values, parse(valuesSchema, { [word]: decoded(word, text) }, 'identity'));
    if (word === 'tag' && values.tag !== undefined) tags.add(values.tag);
  }
  const { ttl: ttlMs, tag: _, ...fields } = values;
  return checked({ ...fields, ttlMs, tags: [...tags] });
}

/**
 * Looks at an identity when nothing more can be added to it: a username may say the ttl, and a header or the port its session.
 *
 * @throws INVALID_INPUT for a ttl without a session.
 */
export function assertComplete(identity: ClientIdentity): ClientIdentity {
  if (identity.ttlMs === undefined || identity.session !== undefined) return identity;
  throw invalidInput(
    'The identity has a ttl without a session: ttl says how long a session keeps its proxy.',
  );
}

/** The identity that a program gives, such as `{ country: 'de', session: 'a' }`. @throws INVALID_INPUT. */
export function identityFrom(fields: ClientIdentity): ClientIdentity {
  return checked(parse(fieldsSchema, fields, 'identity'));
}

/** Without what is undefined, so that an identity is in what it asks for. */
function checked({ tags = [], ...fields }: ClientIdentity): ClientIdentity {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.freeze({
    ...Object.fromEntries(given),
    ...(tags.length > 0 && { tags: Object.freeze([...new Set(tags)]) }),
  });
}

function decoded(word: IdentityWord, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidInput(
      `The identity has a ${word} with a % that begins no escape of UTF-8: write %25 for a percent sign.`,
    );
  }
}
