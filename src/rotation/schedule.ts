import type { ScheduleWindow } from '../model/schedule-window.ts';
import { WEEK, weekTable } from './week-table.ts';
import { nextClockChange, type ZoneOffset, zoneOffset } from './zone-offset.ts';

const MINUTE = 60_000;
/** 1970-01-01 was a Thursday, and a week of the table begins on Sunday. */
const FIRST_MINUTE = 4 * 24 * 60;

/** The window that holds, or null, and the time from which another one or none holds; infinite if it never changes. */
export interface Holding {
  readonly window: ScheduleWindow | null;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/**
 * Tells which window holds at a time: the first in the list that has the local weekday and minute. A call inside the span of the last
 * answer costs two comparisons; a change costs some microseconds.
 */
export function compileSchedule(
  windows: readonly ScheduleWindow[],
  timeZone: string,
): (now: number) => Holding {
  if (windows.length === 0) return () => NEVER;
  const offsetAt = zoneOffset(timeZone);
  const week = weekTable(windows);
  let from = Number.POSITIVE_INFINITY;
  let holding: Holding = NEVER;
  return (now) => {
    if (now >= from && now < holding.until) return holding;
    const index = week.window[localMinute(offsetAt, now)] ?? -1;
    holding = { window: windows[index] ?? null, until: endOf(index, now) };
    from = now;
    return holding;
  };

  /** Up to the next clock change a zone's clock runs like any other; there the minute is looked up again. */
  function endOf(index: number, now: number): number {
    let time = now;
    for (;;) {
      const minute = localMinute(offsetAt, time);
      if (week.window[minute] !== index) return time;
      const minutes = week.minutes[minute] ?? 0;
      if (minutes === 0) return Number.POSITIVE_INFINITY;
      const intoMinute = modulo(time + offsetAt(time), MINUTE);
      time = nextClockChange(offsetAt, time, time - intoMinute + minutes * MINUTE);
    }
  }
}

const NEVER: Holding = { window: null, until: Number.POSITIVE_INFINITY };

function localMinute(offsetAt: ZoneOffset, time: number): number {
  return modulo(Math.floor((time + offsetAt(time)) / MINUTE) + FIRST_MINUTE, WEEK);
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
