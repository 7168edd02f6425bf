import type { RotationStrategy } from '../model/rotation.ts';
import type { StrategySettings } from '../model/strategy-settings.ts';
import type { Filter } from './index/filter.ts';
import { ANY, type Wanted } from './request.ts';
import { NO_OUTCOME, type RuleOutcome } from './rules/outcome.ts';
import type { Holding } from './schedule.ts';
import { STRATEGIES } from './strategies/registry.ts';
import type { Strategy } from './strategies/strategy.ts';

/** How a proxy is to be chosen: what rules, the request, the schedule and the configuration say together. */
export interface Way {
  strategy: RotationStrategy;
  chooser: Strategy;
  filter: Filter;
  /** The country that `geographic` looks in. */
  country: string | null;
  /** Whether the choice is kept for an interval. */
  isTimed: boolean;
}

/** What the strategy and the schedule add to what is asked for. */
interface Restriction {
  country: string | undefined;
  region: string | undefined;
  places: readonly string[] | undefined;
  notCountries: ReadonlySet<string> | undefined;
}

/** What the pool is configured to do. */
interface Plan {
  settings: StrategySettings;
  /** Which window of the schedule holds at a time. */
  schedule: (now: number) => Holding;
}

const OPEN: Filter = {};

/** What {@link wayOf} gives for a request that asks for nothing, without rules; null if it depends on the time. */
export function plainWayOf(plan: Plan): Way | null {
  const { strategy, custom } = plan.settings;
  const isScheduled = strategy === 'time-based' || (strategy === 'custom' && custom === 'time-based');
  return isScheduled ? null : wayOf(ANY, NO_OUTCOME, plan, 0);
}

/** How the request, the rules, the schedule and the configuration want a proxy chosen. */
export function wayOf(wanted: Wanted, rules: RuleOutcome, { settings, schedule }: Plan, now: number): Way {
  const named = wanted.strategy ?? rules.strategy?.value ?? settings.strategy;
  const strategy = named === 'custom' ? settings.custom : named;
  const window = strategy === 'time-based' ? schedule(now).window : null;
  const isGeographic = strategy === 'geographic' || window?.strategy === 'geographic';
  const country =
    wanted.country ??
    rules.country?.value ??
    window?.country ??
    (isGeographic ? settings.country : null) ??
    undefined;
  return {
    strategy,
    chooser: STRATEGIES[window?.strategy ?? strategy],
    // Where `geographic` looks first, it decides itself. What it must not go beyond holds for mappings and intervals too.
    filter: filterOf(wanted, rules, {
      country: isGeographic && !settings.strict ? undefined : country,
      region: window?.region,
      places:
        isGeographic && settings.strict && country === undefined ? unless0(settings.regions) : undefined,
      notCountries: isGeographic ? settings.excludedCountries : undefined,
    }),
    country: isGeographic ? (country ?? null) : null,
    isTimed: strategy === 'time-based' || settings.intervalMs !== null,
  };
}

/** What the request says comes first, then rules, then the schedule. */
function filterOf(
  wanted: Wanted,
  rules: RuleOutcome,
  { country, region, places, notCountries }: Restriction,
): Filter {
  const protocol = wanted.protocol ?? rules.protocol?.value;
  const place = wanted.region ?? rules.region?.value ?? region;
  const tags = rules.tag === null ? wanted.tags : [...(wanted.tags ?? []), rules.tag.value];
  const isOpen =
    protocol === undefined &&
    country === undefined &&
    place === undefined &&
    places === undefined &&
    tags === undefined;
  const excludes = rules.excludeCountries.length + rules.excludeTags.length + (notCountries?.size ?? 0);
  if (isOpen && excludes === 0) return OPEN;
  const filter: Filter = { protocol, country, region: place, places, tags };
  if (excludes === 0) return filter;
  return {
    ...filter,
    notCountries: unless0([...(notCountries ?? []), ...rules.excludeCountries.map(({ value }) => value)]),
    notTags: unless0(rules.excludeTags.map(({ value }) => value)),
  };
}

function unless0(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values;
}
