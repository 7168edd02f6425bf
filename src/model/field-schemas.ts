import { z } from 'zod';

/** A text of 1 to `most` characters, without control characters. */
export function text(most: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'has a control character');
}

/** An id from a caller: a UUID, or a text of the caller's own. */
export const idSchema = text(128);

/** A field that the library sets. Callers may give back what they have read; whatever they give is ignored. */
export function readOnly<T>(): z.ZodCustom<T, T> {
  return z.custom<T>();
}
