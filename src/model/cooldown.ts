import { z } from 'zod';

import { idSchema } from './field-schemas.ts';
import { COOLDOWN_KINDS, COOLDOWN_SOURCES } from './outcomes.ts';

/** What of a proxy's traffic is out: `''` is all of it. */
export type CooldownScope = '' | `domain ${string}` | `session ${string}`;

/** Whether a text names a scope. */
export function isScope(text: string): text is CooldownScope {
  return text === '' || /^(?:domain|session) ./s.test(text);
}

const time = z.union([z.date(), z.string()]);

/** A cooldown from a caller; the times are checked when they are stored. */
export const cooldownSchema = z.strictObject({
  proxyId: idSchema,
  scope: z.string().refine(isScope, 'must be empty, "domain NAME" or "session NAME"'),
  source: z.enum(COOLDOWN_SOURCES),
  kind: z.enum(COOLDOWN_KINDS),
  times: z.int().min(0),
  since: time,
  until: time.nullable(),
  detail: z.string().max(256).nullable(),
});

type Valid = z.output<typeof cooldownSchema>;

/** Until when, and why, a proxy or a part of its traffic is out. Times are ISO 8601. */
export interface Cooldown extends Omit<Valid, 'scope' | 'since' | 'until'> {
  /** `''` for all of its traffic, `domain NAME` or `session NAME`. */
  scope: CooldownScope;
  /** Who has put it out: the engine, or a person. */
  source: Valid['source'];
  kind: Valid['kind'];
  /** How many times in a row it went out. */
  times: Valid['times'];
  since: string;
  /** Null: until a person or a new login ends it. */
  until: string | null;
  /** A few words without secrets, such as "status 429". */
  detail: Valid['detail'];
}

/** A cooldown that is stored. */
export interface CooldownInput extends Omit<Cooldown, 'since' | 'until'> {
  since: Date | string;
  until: Date | string | null;
}
