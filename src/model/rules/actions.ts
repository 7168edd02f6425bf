import { z } from 'zod';
import { countrySchema } from '../country.ts';
import { idSchema } from '../field-schemas.ts';
import { protocolSchema, regionSchema, tagSchema } from '../proxy.ts';
import { strategySchema } from '../rotation.ts';

// Rules are stored and shown in clear.
const proxyId = idSchema.refine((id) => !/:.*@/.test(id), 'must be the id of a proxy, without a login');

export const actionSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('use-proxy'), proxyId }),
  z.strictObject({ type: z.literal('use-tag'), tag: tagSchema }),
  z.strictObject({ type: z.literal('use-country'), country: countrySchema }),
  z.strictObject({ type: z.literal('use-region'), region: regionSchema }),
  z.strictObject({ type: z.literal('use-protocol'), protocol: protocolSchema }),
  z.strictObject({ type: z.literal('use-strategy'), strategy: strategySchema }),
  z.strictObject({ type: z.literal('exclude-proxy'), proxyId }),
  z.strictObject({ type: z.literal('exclude-country'), country: countrySchema }),
  z.strictObject({ type: z.literal('exclude-tag'), tag: tagSchema }),
  z.strictObject({ type: z.literal('rotate') }),
  z.strictObject({ type: z.literal('keep') }),
  z.strictObject({ type: z.literal('block') }),
]);

/**
 * What a rule does. `use-…` narrows the choice down, `exclude-…` leaves proxies out. `rotate` changes to another proxy now,
 * `keep` stays with the last one whatever the interval says, and `block` hands out none.
 */
export type RuleAction = z.output<typeof actionSchema>;
