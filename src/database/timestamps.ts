import { invalidInput } from '../model/validation.ts';

/**
 * Times are stored as UTC text in SQLite's own form with milliseconds, `YYYY-MM-DD HH:MM:SS.SSS`, which sorts
 * with what `CURRENT_TIMESTAMP` gives, and are given as ISO 8601. https://www.sqlite.org/lang_datefunc.html
 */

let lastTime = Number.NaN;
let lastText = '';

/** The stored form of a time in milliseconds since the Unix epoch. */
export function toStored(time: number): string {
  if (time === lastTime) return lastText;
  const iso = isoOf(time);
  lastText = `${iso.slice(0, 10)} ${iso.slice(11, 23)}`;
  lastTime = time;
  return lastText;
}

/** ISO 8601 of a stored time, with or without a fraction; null for null. */
export function fromStored(stored: string): string;
export function fromStored(stored: string | null): string | null;
export function fromStored(stored: string | null): string | null {
  if (stored === null) return null;
  // As we store it, which is nearly every one.
  if (stored.length === 23 && !stored.endsWith('Z')) return `${stored.slice(0, 10)}T${stored.slice(11)}Z`;
  const fraction = stored.slice(20).replace('Z', '').padEnd(3, '0').slice(0, 3);
  return `${stored.slice(0, 10)}T${stored.slice(11, 19)}.${fraction}Z`;
}

/** What {@link fromStored} takes, and what `CURRENT_TIMESTAMP` or another program writes. */
const STORED = /^\d{4}-\d\d-\d\d[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?Z?$/;

/** Whether a stored text is a time. */
export function isStoredTime(stored: string): boolean {
  return STORED.test(stored) && isStoredDay(stored.slice(0, 10));
}

/** Whether a stored text is a day of the calendar, `YYYY-MM-DD`. */
export function isStoredDay(stored: string): boolean {
  if (stored === lastDay) return true;
  if (!isDay(stored)) return false;
  lastDay = stored;
  return true;
}

/** Most rows are of the same day as the one before. */
let lastDay = '';

function isDay(stored: string): boolean {
  if (!/^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/.test(stored)) return false;
  // Every month has 28 days; only what is above needs the calendar.
  return stored.slice(8) <= '28' || new Date(`${stored}T00:00:00Z`).toJSON()?.startsWith(stored) === true;
}

/** The UTC day of a time, `YYYY-MM-DD`. */
export function dayOf(time: number): string {
  return toStored(time).slice(0, 10);
}

/**
 * The stored form of a time that a user gave.
 *
 * @throws INVALID_INPUT for what is no time, or is outside the years 0 to 9999.
 */
export function storedFrom(time: Date | string, name: string): string {
  const milliseconds = time instanceof Date ? time.getTime() : isIso(time) ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(milliseconds)) {
    throw invalidInput(`${name} must be a Date or an ISO 8601 time, such as 2026-01-31T12:00:00Z.`);
  }
  return toStored(milliseconds);
}

/**
 * A day that a user gave, checked to be one.
 *
 * @throws INVALID_INPUT unless it is a day of the calendar as `YYYY-MM-DD`.
 */
export function assertDay(day: string, name: string): string {
  if (typeof day !== 'string' || !isStoredDay(day))
    throw invalidInput(`${name} must be a day as YYYY-MM-DD.`);
  return day;
}

function isIso(text: unknown): text is string {
  return typeof text === 'string' && /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text);
}

/** Whether a time in milliseconds since the Unix epoch can be stored: in the years 0 to 9999. */
export function isTime(time: number): boolean {
  return time >= -62_167_219_200_000 && time <= 253_402_300_799_999;
}

function isoOf(time: number): string {
  if (!isTime(time)) {
    throw invalidInput('A time must lie in the years 0 to 9999.');
  }
  return new Date(time).toISOString();
}
