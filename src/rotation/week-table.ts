import { minutesOfTime, type ScheduleWindow } from '../model/schedule-window.ts';

const DAY = 24 * 60;
export const WEEK = 7 * DAY;
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];

/** Windows by the minute of the week, which begins on Sunday at 0:00. */
export interface WeekTable {
  /** The index of the window that holds in each minute; -1 if none does. */
  window: Int16Array;
  /** How many minutes of this week it still holds, this one included; 0 if it always holds. */
  minutes: Uint16Array;
}

/** The first window in the list wins wherever several hold. */
export function weekTable(windows: readonly ScheduleWindow[]): WeekTable {
  const window = new Int16Array(WEEK).fill(-1);
  for (const [index, each] of [...windows.entries()].reverse()) paint(window, each, index);
  return { window, minutes: minutesLeft(window) };
}

function paint(table: Int16Array, { from, to, days = EVERY_DAY }: ScheduleWindow, index: number): void {
  const start = minutesOfTime(from) ?? 0;
  const end = minutesOfTime(to) ?? 0;
  const length = end > start ? end - start : end - start + DAY;
  for (const day of days) {
    const first = (day * DAY + start) % WEEK;
    table.fill(index, first, first + length);
    // What is over the end of Saturday is on Sunday.
    table.fill(index, 0, Math.max(0, first + length - WEEK));
  }
}

function minutesLeft(window: Int16Array): Uint16Array {
  const minutes = new Uint16Array(WEEK);
  if (window.every((index) => index === window[0])) return minutes;
  for (let minute = WEEK - 1; minute >= 0; minute--)
    minutes[minute] = window[minute] === window[minute + 1] ? (minutes[minute + 1] ?? 0) + 1 : 1;
  return minutes;
}
