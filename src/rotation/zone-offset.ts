const SECOND = 1000;
const DAY = 86_400_000;

/** How much a zone's clock is ahead of UTC at a time, in milliseconds. */
export type ZoneOffset = (now: number) => number;

/**
 * The offset of a time zone, from Intl. A call takes microseconds: callers keep what they have computed.
 *
 * @throws RangeError for a name that Intl does not know; a configuration with one cannot be stored.
 */
export function zoneOffset(timeZone: string): ZoneOffset {
  if (timeZone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (now) => {
    const whole = Math.floor(now / SECOND) * SECOND;
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(whole)) part[type] = Number(value);
    const { year = 0, month = 1, day = 0, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
  };
}

/** The first time after `from` at which the clocks change, to the second; `to` if they do not change before it. */
export function nextClockChange(offsetAt: ZoneOffset, from: number, to: number): number {
  const offset = offsetAt(from);
  let before = from;
  while (before < to) {
    const after = Math.min(before + DAY, to);
    if (offsetAt(after) !== offset) return firstDifference(offsetAt, before, after);
    before = after;
  }
  return to;
}

function firstDifference(offsetAt: ZoneOffset, from: number, to: number): number {
  const offset = offsetAt(from);
  let same = Math.floor(from / SECOND);
  let different = Math.floor(to / SECOND);
  while (different - same > 1) {
    const middle = Math.floor((same + different) / 2);
    if (offsetAt(middle * SECOND) === offset) same = middle;
    else different = middle;
  }
  return different * SECOND;
}
