import { z } from 'zod';

import { type Changes, idSchema, readOnly, text, updateOf } from './field-schemas.ts';
import { regionSchema } from './proxy.ts';

export const ROTATION_STRATEGIES = [
  'round-robin',
  'random',
  'least-used',
  'fastest',
  'failure-aware',
  'weighted',
  'geographic',
  'sticky-session',
  'time-based',
  'custom',
] as const;
export type RotationStrategy = (typeof ROTATION_STRATEGIES)[number];
export const strategySchema = z.enum(ROTATION_STRATEGIES);

const hour = z.int().min(0).max(24);

/** Zod leaves out an entry `__proto__` without a word. */
const weights = z
  .unknown()
  .refine(
    (value) => typeof value !== 'object' || value === null || !Object.hasOwn(value, '__proto__'),
    'no proxy has the id "__proto__"',
  )
  .pipe(z.record(idSchema, z.number().positive()));

export const strategyOptionsSchema = z.strictObject({
  weights: weights.optional(),
  regions: z.array(regionSchema).optional(),
  stickyTtlMs: z.int().positive().optional(),
  stickyByDefault: z.boolean().optional(),
  schedule: z
    .array(
      z.strictObject({
        from: hour,
        to: hour,
        strategy: strategySchema.optional(),
        region: regionSchema.optional(),
      }),
    )
    .optional(),
  custom: text(128).optional(),
});

type ValidOptions = z.output<typeof strategyOptionsSchema>;

/** Options of the strategies, each under its own name; kept in `config_json`. */
export interface StrategyOptions extends ValidOptions {
  /** `weighted`: relative weight by proxy id; a proxy without one weighs 1. */
  weights?: ValidOptions['weights'];
  /** `geographic`: region or country codes, most wanted first. */
  regions?: ValidOptions['regions'];
  /** `sticky-session`: the time to live of a new mapping in milliseconds. */
  stickyTtlMs?: ValidOptions['stickyTtlMs'];
  /** `sticky-session`: map every domain asked for to the proxy it first got. */
  stickyByDefault?: ValidOptions['stickyByDefault'];
  /** `time-based`: which strategy or region holds in which hours (UTC, `from` inclusive, `to` exclusive). */
  schedule?: ValidOptions['schedule'];
  /** `custom`: the name under which the program registered its strategy. */
  custom?: ValidOptions['custom'];
}

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
export interface RotationConfigUpdate extends Changes<RotationConfig, 'updatedAt'> {}

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
