import { z } from 'zod';

import { MAX_TIME_ZONE } from './geolocation.ts';

/** The name of a time zone that this Node knows, such as `Europe/Berlin`, as it was written: Node's own spelling may be an old one. */
export const timeZoneSchema = z
  .string()
  .max(MAX_TIME_ZONE)
  .refine(isTimeZone, 'must be the name of a time zone, such as UTC or Europe/Berlin');

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}
