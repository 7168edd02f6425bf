import { z } from 'zod';

import { domainSchema } from './domain.ts';
import { type Changes, idSchema, readOnly, updateOf } from './field-schemas.ts';

/** A mapping as it is created. */
export const mappingSchema = z.strictObject({
  domain: domainSchema,
  proxyId: idSchema,
  ttl: z.int().positive().nullable().optional(),
  requestCount: z.int().nonnegative().optional(),
  isWildcard: readOnly<boolean>().optional(),
  createdAt: readOnly<string>().optional(),
  lastUsed: readOnly<string>().optional(),
});

export const mappingUpdateSchema = updateOf(
  mappingSchema.extend({ lastUsed: z.union([z.date(), z.string()]) }),
  ['isWildcard', 'createdAt'],
);

type Given = z.input<typeof mappingSchema>;

/** Which proxy a domain sticks to. */
export interface DomainProxyMapping extends Given {
  /** An ASCII DNS name or IP address, or `*.` and a name for every depth below it; given as a URL, its host is taken. */
  domain: Given['domain'];
  /** Milliseconds from the last use; null or absent for no end. */
  ttl?: Given['ttl'];
  /** Follows from `domain`; given on reading. */
  isWildcard?: Given['isWildcard'];
}

/** The fields that an update changes. */
export interface DomainProxyMappingUpdate
  extends Changes<DomainProxyMapping, 'isWildcard' | 'createdAt' | 'lastUsed'> {
  /** From when `ttl` counts. */
  lastUsed?: Date | string | undefined;
}
