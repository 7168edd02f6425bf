import { z } from 'zod';

import { countrySchema } from './country.ts';
import { idSchema, text } from './field-schemas.ts';
import {
  type DurabilityOptions,
  durabilitySchema,
  type HealthOptions,
  type HistoryOptions,
  healthSchema,
  historySchema,
  type LimitOptions,
  limitsSchema,
  POOL_DEFAULTS,
} from './pool-options.ts';
import { regionSchema } from './proxy.ts';
import {
  type ScheduleWindow,
  type ScheduleWindowInput,
  scheduleWindowSchema,
  storedWindowSchema,
} from './schedule-window.ts';
import { strategySchema } from './strategies.ts';
import { timeZoneSchema } from './time-zone.ts';

/** Zod leaves out an entry `__proto__` without a word. */
const weights = z
  .unknown()
  .refine(
    (value) => typeof value !== 'object' || value === null || !Object.hasOwn(value, '__proto__'),
    'no proxy has the id "__proto__"',
  )
  .pipe(z.record(idSchema, z.number().positive()));

const namedStrategy = strategySchema.exclude(['custom']);

const fields = z.strictObject({
  weights: weights.optional(),
  country: countrySchema.optional(),
  regions: z.array(regionSchema).optional(),
  excludedCountries: z.array(countrySchema).optional(),
  strict: z.boolean().optional(),
  stickyTtlMs: z.int().positive().optional(),
  stickyByDefault: z.boolean().optional(),
  stickyChoice: z.enum(['rendezvous', 'random', 'round-robin']).optional(),
  stickyWhenOut: z.enum(['move', 'refuse']).optional(),
  jitterMs: z.int().nonnegative().optional(),
  minIntervalMs: z.int().positive().optional(),
  maxIntervalMs: z.int().positive().optional(),
  rotateOnFailure: z.boolean().optional(),
  schedule: z.array(scheduleWindowSchema).max(1000).optional(),
  timeZone: timeZoneSchema.optional(),
  custom: namedStrategy.optional(),
  limits: limitsSchema.optional(),
  health: healthSchema.optional(),
  history: historySchema.optional(),
  durability: durabilitySchema.optional(),
});

type ValidOptions = z.output<typeof fields>;

/** Why these options contradict each other; null if they do not. */
function contradictionOf({ minIntervalMs = 1, maxIntervalMs, health }: ValidOptions): string | null {
  if (maxIntervalMs !== undefined && minIntervalMs > maxIntervalMs)
    return 'minIntervalMs must not be more than maxIntervalMs';
  const { cooldownMs = 0, maxCooldownMs } = health ?? {};
  return maxCooldownMs === undefined || cooldownMs <= maxCooldownMs
    ? null
    : 'health.cooldownMs must not be more than health.maxCooldownMs';
}

/** Why whole options, in which what is absent has its default, contradict each other; null if they do not. */
export function wholeContradictionOf(options: ValidOptions): string | null {
  const problem = contradictionOf(options);
  if (problem !== null) return `${problem}: one is stored, so give both`;
  const ofDefault = contradictionOf({ health: { ...POOL_DEFAULTS.health, ...options.health } });
  return ofDefault === null ? null : `${ofDefault}: one has its default, so give both`;
}

/** The options whose values are options themselves. */
export const OPTION_GROUPS = [
  'limits',
  'health',
  'history',
  'durability',
] as const satisfies readonly (keyof ValidOptions)[];

/** The names of the options in each group. */
export const GROUPED_OPTIONS: Readonly<Record<(typeof OPTION_GROUPS)[number], readonly string[]>> = {
  limits: Object.keys(limitsSchema.shape),
  health: Object.keys(healthSchema.shape),
  history: Object.keys(historySchema.shape),
  durability: Object.keys(durabilitySchema.shape),
};

/**
 * Options with those of a caller, in a group too: what is given as undefined has its default again. A group that has no options left is
 * absent.
 */
export function mergedOptions(stored: StrategyOptions, changes: StrategyOptions): StrategyOptions {
  const merged: StrategyOptions = { ...stored, ...changes };
  for (const group of OPTION_GROUPS) {
    const given = changes[group];
    if (given === undefined) continue;
    const options = Object.entries({ ...stored[group], ...given }).filter(([, value]) => value !== undefined);
    merged[group] = options.length === 0 ? undefined : Object.fromEntries(options);
  }
  return merged;
}

/** Options from a caller. */
export const strategyOptionsSchema = fields.superRefine((options, context) => {
  const problem = contradictionOf(options);
  if (problem !== null) context.addIssue(problem);
});

/** Options as they are stored. An older version stored any text as `custom`, and applied none: such a text is left out. */
export const storedOptionsSchema = fields
  .extend({ schedule: z.array(storedWindowSchema).optional(), custom: text(128).optional() })
  .transform(({ custom, ...options }): StrategyOptions => {
    const { data } = namedStrategy.safeParse(custom);
    return data === undefined ? options : { ...options, custom: data };
  });

/**
 * Options of the strategies, each under its own name; kept in `config_json`. An absent option has its default, which
 * `STRATEGY_DEFAULTS` holds. Times are milliseconds.
 */
export interface StrategyOptions extends ValidOptions {
  /** `weighted`: relative weight by proxy id. It wins over the proxy's own `weight`, which is 1 by default. */
  weights?: ValidOptions['weights'];
  /**
   * `geographic`: the country to go out in unless the request names one; ISO 3166-1 alpha-2, stored in upper case. Default: any, since
   * only the user knows.
   */
  country?: ValidOptions['country'];
  /** `geographic`: preferred regions or countries, most wanted first. Default: no preference. */
  regions?: ValidOptions['regions'];
  /** `geographic`: countries that are never used, not even by a fallback; ISO 3166-1 alpha-2, stored in upper case. Default: none. */
  excludedCountries?: ValidOptions['excludedCountries'];
  /**
   * `geographic`: without a proxy in the wanted country, `true` is NO_PROXY, and `false` takes one of the rest. Default `true`, since a
   * request from the wrong country can do harm that an error cannot.
   */
  strict?: ValidOptions['strict'];
  /** `sticky-session`: how long a key keeps its proxy after its last use. Default 3,600,000 (1 hour), the length of common sessions. */
  stickyTtlMs?: ValidOptions['stickyTtlMs'];
  /** `sticky-session`: map every domain asked for to the proxy it first got, under any strategy. Default `false`. */
  stickyByDefault?: ValidOptions['stickyByDefault'];
  /**
   * `sticky-session`: how a new key gets its proxy. Default `rendezvous`: the same key gets the same proxy in every process, and few
   * keys move when the pool changes.
   */
  stickyChoice?: ValidOptions['stickyChoice'];
  /**
   * `sticky-session`: what happens when the proxy of a key is out. Default `move`: the key gets another one. `refuse` is NO_PROXY, for
   * sessions that must not change their address.
   */
  stickyWhenOut?: ValidOptions['stickyWhenOut'];
  /** `time-based`: each interval is up to so much longer or shorter, at random. Default 0: a regular turn. */
  jitterMs?: ValidOptions['jitterMs'];
  /** `time-based`: no interval is shorter, with its jitter. Default 1: no bound. */
  minIntervalMs?: ValidOptions['minIntervalMs'];
  /** `time-based`: no interval is longer, with its jitter. Default: no bound. */
  maxIntervalMs?: ValidOptions['maxIntervalMs'];
  /** `time-based`: take the next proxy at once after a failure. Default `false`, since a target may fail for reasons of its own. */
  rotateOnFailure?: ValidOptions['rotateOnFailure'];
  /** `time-based`: what holds at which hours of the week. The first window that holds counts. Default: no windows. */
  schedule?: ScheduleWindow[] | undefined;
  /** The IANA time zone of `schedule`, and of hours and weekdays in rules. Default `UTC`, which has no clock changes. */
  timeZone?: ValidOptions['timeZone'];
  /** `custom`: the strategy that chooses if no rule does. Default `round-robin`. */
  custom?: ValidOptions['custom'];
  /** How much one proxy may do, and how many leases there may be. */
  limits?: LimitOptions | undefined;
  /** When a proxy goes out, and for how long. */
  health?: HealthOptions | undefined;
  /** What is kept of the past. */
  history?: HistoryOptions | undefined;
  /** What a crash can cost. */
  durability?: DurabilityOptions | undefined;
}

/** Options as a program may give them: `schedule` with the names of weekdays too. */
export interface StrategyOptionsInput extends Omit<StrategyOptions, 'schedule'> {
  /** `time-based`: what holds at which hours of the week. */
  schedule?: ScheduleWindowInput[] | undefined;
}
