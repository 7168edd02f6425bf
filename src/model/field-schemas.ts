import { z } from 'zod';

/** A text of 1 to `most` characters, without control characters and halves of surrogate pairs, which no database stores. */
export function text(most: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'has a control character')
    .regex(/^\P{Cs}*$/u, 'is not well-formed');
}

/** An id from a caller: a UUID, or a text of the caller's own. */
export const idSchema = text(128);

/** The name of a session, which keeps its proxy. */
export const sessionSchema = text(256);

/** A field that the library sets. Callers may give back a record that they have read; what it holds here is ignored. */
export function readOnly<T>(): z.ZodCustom<T, T> {
  return z.custom<T>();
}

/**
 * The schema of an update of some fields. A field that cannot change is rejected by name. A whole record may be given back as it
 * was read, with changes: then those fields are ignored, since others may have changed since.
 *
 * @param fixed the fields that cannot change.
 */
export function updateOf<S extends z.ZodRawShape>(
  schema: z.ZodObject<S, z.core.$strict>,
  fixed: readonly (keyof S & string)[],
) {
  const fields = Object.keys(schema.shape);
  return schema.partial().superRefine((given, context) => {
    const values: Readonly<Record<string, unknown>> = given;
    if (fields.every((field) => values[field] !== undefined)) return;
    for (const field of fixed) {
      if (values[field] === undefined) continue;
      context.addIssue({ code: 'custom', path: [field], message: 'is set by the pool: leave it out' });
    }
  });
}

/** The fields of a record that an update may change, each left out or given. */
export type Changes<T, Fixed extends keyof T> = {
  [K in Exclude<keyof T, Fixed>]?: T[K] | undefined;
};
