import { z } from 'zod';

import { countrySchema } from './country.ts';
import { regionSchema } from './proxy.ts';
import { strategySchema } from './strategies.ts';

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
/** A day of the week by name, where its number is its place in the week: Sunday is 0. */
export type Weekday = (typeof WEEKDAYS)[number];

const DAY = 'must be a weekday: 0 (Sunday) to 6 (Saturday), or sun, mon, tue, wed, thu, fri, sat';
const TIME_OF_DAY = 'must be an hour from 0 to 24, or a time such as 22:30';

const timeOfDay = z.custom<number | string>().transform((value, context): number | string => {
  if (minutesOfTime(value) !== null) return typeof value === 'string' ? value.padStart(5, '0') : value;
  context.addIssue(TIME_OF_DAY);
  return z.NEVER;
});

/** The minutes from midnight to an hour such as 8, or to a time such as `8:30`; null for anything else. */
export function minutesOfTime(time: unknown): number | null {
  if (typeof time === 'number') return Number.isInteger(time) && time >= 0 && time <= 24 ? time * 60 : null;
  const [, hour, minute] = /^(\d{1,2}):([0-5]\d)$/.exec(typeof time === 'string' ? time : '') ?? [];
  const minutes = Number(hour) * 60 + Number(minute);
  return minutes <= 24 * 60 ? minutes : null;
}

const weekday = z.custom<number | Weekday>().transform((value, context): number => {
  const names: readonly string[] = WEEKDAYS;
  const number = typeof value === 'string' ? names.indexOf(value.toLowerCase()) : value;
  if (Number.isInteger(number) && number >= 0 && number <= 6) return number;
  context.addIssue(DAY);
  return z.NEVER;
});

const weekdays = z
  .array(weekday)
  .min(1)
  .transform((days) => [...new Set(days)].sort());

const windowStrategies = strategySchema.exclude(['time-based', 'custom']);

export const scheduleWindowSchema = z.strictObject({
  from: timeOfDay,
  to: timeOfDay,
  days: weekdays.optional(),
  strategy: windowStrategies.optional(),
  region: regionSchema.optional(),
  country: countrySchema.optional(),
});

/** Older versions stored any strategy, and applied none: one that cannot be in a window is left out. */
export const storedWindowSchema = scheduleWindowSchema
  .extend({ strategy: strategySchema.optional() })
  .transform(({ strategy, ...window }): ScheduleWindow => {
    const { data } = windowStrategies.safeParse(strategy);
    return data === undefined ? window : { ...window, strategy: data };
  });

type ValidWindow = z.output<typeof scheduleWindowSchema>;

/**
 * What holds at certain hours of the week, by the clock of `timeZone`. When the clocks go forward, the hour that is left out has no
 * window; when they go back, a window in the repeated hour holds twice.
 */
export interface ScheduleWindow extends ValidWindow {
  /** Inclusive: an hour from 0 to 24, or a time such as `08:30`. */
  from: ValidWindow['from'];
  /** Exclusive. If it is not after `from`, the window ends on the next day; the whole day if both are the same. */
  to: ValidWindow['to'];
  /** The days on which the window begins, 0 for Sunday to 6; every day if absent. */
  days?: ValidWindow['days'];
  /** How proxies are chosen in the window; in turns if absent. Not `time-based` or `custom`, which ask for another strategy. */
  strategy?: ValidWindow['strategy'];
  /** Only proxies of this region. */
  region?: ValidWindow['region'];
  /** Only proxies of this country, ISO 3166-1 alpha-2; stored in upper case. */
  country?: ValidWindow['country'];
}

/** A window as a program may give it: with the names of weekdays too. */
export interface ScheduleWindowInput extends Omit<ScheduleWindow, 'days'> {
  /** The days on which the window begins, by name or by number: `['mon', 'tue']` is `[1, 2]`. */
  days?: (number | Weekday)[] | undefined;
}
