import { storedFrom } from '../timestamps.ts';
import type { Conditions } from './conditions.ts';

/** From a time, inclusive, to another, exclusive; an end that is absent is open. */
export interface TimeRange {
  from?: Date | string | undefined;
  to?: Date | string | undefined;
}

/**
 * The column `timestamp` to the millisecond in the form that we store: other programs write a T before the hour, a Z at the end,
 * another number of digits or no fraction.
 */
export const EXACT_TIME = `substr(timestamp, 1, 10) || ' ' || substr(timestamp, 12, 8)
  || '.' || substr(rtrim(substr(timestamp, 21), 'Z') || '000', 1, 3)`;

/** What comes after the day in no time, and sorts after whatever does: a space or a T. */
const END_OF_DAY = 'U';

/**
 * Leaves out what happened before a time. Whole days are compared as text, by which an index finds them; what is within the day of
 * the time is compared exactly.
 *
 * @throws INVALID_INPUT, with this name, for what is no time.
 */
export function addFrom(conditions: Conditions, from: Date | string, name = 'from'): void {
  const time = storedFrom(from, name);
  const day = time.slice(0, 10);
  conditions.add('timestamp >= :from_day', { from_day: day });
  if (isMidnight(time)) return;
  conditions.add(`(timestamp >= :from_end OR ${EXACT_TIME} >= :from)`, {
    from_end: day + END_OF_DAY,
    from: time,
  });
}

/** Leaves out what happened at a time or after it; as {@link addFrom}. */
export function addTo(conditions: Conditions, to: Date | string, name = 'to'): void {
  const time = storedFrom(to, name);
  const day = time.slice(0, 10);
  if (isMidnight(time)) {
    conditions.add('timestamp < :to_day', { to_day: day });
  } else {
    conditions.add(`timestamp < :to_end AND (timestamp < :to_day OR ${EXACT_TIME} < :to)`, {
      to_end: day + END_OF_DAY,
      to_day: day,
      to: time,
    });
  }
}

function isMidnight(time: string): boolean {
  return time.endsWith(' 00:00:00.000');
}
