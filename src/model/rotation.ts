import { z } from 'zod';

import { type Changes, readOnly, updateOf } from './field-schemas.ts';
import { strategySchema } from './strategies.ts';
import {
  type StrategyOptions,
  type StrategyOptionsInput,
  strategyOptionsSchema,
} from './strategy-options.ts';

export { ROTATION_STRATEGIES, type RotationStrategy, strategySchema } from './strategies.ts';

const configSchema = z.strictObject({
  strategy: strategySchema,
  intervalMs: z.int().positive().nullable(),
  maxRequestsPerProxy: z.int().positive().nullable(),
  failureThreshold: z.int().positive().nullable(),
  options: strategyOptionsSchema,
  updatedAt: readOnly<string | null>(),
});

type ValidConfig = z.output<typeof configSchema>;

/** The one rotation configuration of a database. */
export interface RotationConfig extends ValidConfig {
  /** Consecutive failures after which a proxy's status becomes `failed`; null for never. */
  failureThreshold: ValidConfig['failureThreshold'];
  options: StrategyOptions;
  /** Null while the defaults hold, that is before the first update. */
  updatedAt: ValidConfig['updatedAt'];
}

/** The fields that an update changes. */
export interface RotationConfigUpdate extends Changes<Omit<RotationConfig, 'options'>, 'updatedAt'> {
  /**
   * The options that are given are changed, and the others kept, in a group such as `limits` too. An option, or a group, that is given as
   * undefined has its default again.
   */
  options?: StrategyOptionsInput | undefined;
}

export const rotationConfigUpdateSchema = updateOf(configSchema, ['updatedAt']);

export const ROTATION_REASONS = ['scheduled', 'failure', 'manual', 'startup'] as const;
export type RotationReason = (typeof ROTATION_REASONS)[number];

/** One change from a proxy to another. Proxies of the history may be deleted since. */
export interface RotationEvent {
  id: number;
  timestamp: string;
  previousProxyId: string | null;
  newProxyId: string | null;
  reason: RotationReason;
}
