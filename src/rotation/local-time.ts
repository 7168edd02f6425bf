import { zoneOffset } from './zone-offset.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const QUARTER = HOUR / 4;
/** 1970-01-01 was a Thursday. */
const FIRST_WEEKDAY = 4;

/** The hour, 0 to 23, and the weekday, 0 for Sunday to 6, by the clock of a time zone. */
export interface LocalTime {
  readonly hour: number;
  readonly weekday: number;
}

/**
 * Tells the local time of a zone. Clocks of today differ from UTC by quarters of an hour and change at such times, so that one
 * answer holds for a quarter of an hour: a call inside it costs two comparisons.
 */
export function localTime(timeZone: string): (now: number) => LocalTime {
  const offsetAt = zoneOffset(timeZone);
  let from = Number.POSITIVE_INFINITY;
  let time: LocalTime = { hour: 0, weekday: 0 };
  return (now) => {
    if (now >= from && now < from + QUARTER) return time;
    const local = now + offsetAt(now);
    const days = Math.floor(local / DAY);
    time = { hour: Math.floor((local - days * DAY) / HOUR), weekday: modulo(days + FIRST_WEEKDAY, 7) };
    from = Math.floor(now / QUARTER) * QUARTER;
    return time;
  };
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
