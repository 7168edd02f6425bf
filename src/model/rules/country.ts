import { z } from 'zod';

/** A country in a rule, which is stored in capital letters. */
export const countrySchema = z
  .string()
  .regex(/^[a-z]{2}$/i, 'must be two letters of ISO 3166-1, such as DE')
  .toUpperCase();
