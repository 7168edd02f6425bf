import {
  type DurabilitySettings,
  type HealthSettings,
  type HistorySettings,
  type LimitSettings,
  POOL_DEFAULTS,
} from './pool-options.ts';
import type { RotationConfig } from './rotation.ts';
import type { StrategyOptions } from './strategy-options.ts';

/** What holds for an option that is not set. `StrategyOptions` gives the reasons. */
export const STRATEGY_DEFAULTS = {
  /** The interval of `time-based` if the configuration has none: ten minutes, as rotating providers keep an address. */
  intervalMs: 600_000,
  country: null,
  strict: true,
  stickyTtlMs: 3_600_000,
  stickyByDefault: false,
  stickyChoice: 'rendezvous',
  stickyWhenOut: 'move',
  jitterMs: 0,
  minIntervalMs: 1,
  maxIntervalMs: Number.POSITIVE_INFINITY,
  rotateOnFailure: false,
  timeZone: 'UTC',
  custom: 'round-robin',
} as const;

type Chosen<K extends keyof StrategyOptions> = NonNullable<StrategyOptions[K]>;

/** The whole configuration as the engine reads it: every option has a value. Times are milliseconds. */
export interface StrategySettings extends Omit<RotationConfig, 'options' | 'updatedAt'> {
  /** As configured: null keeps no proxy for an interval, except under `time-based`, where `intervalEnd` fills the default in. */
  intervalMs: RotationConfig['intervalMs'];
  /** By proxy id; one that is not here has its own `weight`. */
  weights: ReadonlyMap<string, number>;
  country: string | null;
  regions: readonly string[];
  excludedCountries: ReadonlySet<string>;
  strict: boolean;
  stickyTtlMs: number;
  stickyByDefault: boolean;
  stickyChoice: Chosen<'stickyChoice'>;
  stickyWhenOut: Chosen<'stickyWhenOut'>;
  jitterMs: number;
  minIntervalMs: number;
  maxIntervalMs: number;
  rotateOnFailure: boolean;
  schedule: Chosen<'schedule'>;
  timeZone: string;
  custom: Chosen<'custom'>;
  limits: LimitSettings;
  health: HealthSettings;
  history: HistorySettings;
  durability: DurabilitySettings;
}

/** The configuration with the default of every option that it leaves out. */
export function settingsOf({ options, updatedAt: _, ...config }: RotationConfig): StrategySettings {
  const { weights = {}, regions = [], excludedCountries = [], schedule = [], ...rest } = options;
  const { limits = {}, health = {}, history = {}, durability = {}, ...simple } = rest;
  return {
    ...STRATEGY_DEFAULTS,
    ...withoutAbsent(simple),
    ...config,
    weights: new Map(Object.entries(weights)),
    regions,
    excludedCountries: new Set(excludedCountries),
    schedule,
    limits: { ...POOL_DEFAULTS.limits, ...withoutAbsent(limits) },
    health: { ...POOL_DEFAULTS.health, ...withoutAbsent(health) },
    history: { ...POOL_DEFAULTS.history, ...withoutAbsent(history) },
    durability: { ...POOL_DEFAULTS.durability, ...withoutAbsent(durability) },
  };
}

/** An option may be given as undefined, which is no value. */
function withoutAbsent<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
