import { z } from 'zod';

/** A country of ISO 3166-1 alpha-2 from a caller, in any case; kept in upper case. */
export const countrySchema = z
  .string()
  .regex(/^[A-Z]{2}$/i, 'must be two letters of ISO 3166-1, such as DE')
  .toUpperCase();
