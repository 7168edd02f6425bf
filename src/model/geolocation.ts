import { z } from 'zod';

import { text } from './field-schemas.ts';

/** The most characters of a city, a region or a time zone. */
export const MAX_PLACE = 256;
export const MAX_TIME_ZONE = 64;
export const MAX_ASN = 4_294_967_295;

export const geolocationSchema = z.strictObject({
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be two capital letters of ISO 3166-1, such as DE')
    .optional(),
  city: text(MAX_PLACE).optional(),
  region: text(MAX_PLACE).optional(),
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
  asn: z.int().min(0).max(MAX_ASN).optional(),
  timezone: text(MAX_TIME_ZONE).optional(),
});

// The interface repeats only the fields that need a description: declarations lose the comments inside a schema.
type Valid = z.output<typeof geolocationSchema>;

/** Where a proxy's exit is, as its provider or a lookup said. Coordinates are WGS 84 degrees. */
export interface Geolocation extends Valid {
  /** ISO 3166-1 alpha-2, upper case. */
  country?: Valid['country'];
  /** 0, which is reserved (RFC 7607), means that it is not known. */
  asn?: Valid['asn'];
}
