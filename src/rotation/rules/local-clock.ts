import { invalidInput } from '../../model/validation.ts';

/** Time zones differ by multiples of a quarter of an hour. */
const QUARTER = 15 * 60 * 1000;
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** The hour (0 to 23) and weekday (0 is Sunday) in a time zone, worked out again every quarter of an hour. */
export class LocalClock {
  /** Null for UTC, which needs no conversion. */
  readonly #format: Intl.DateTimeFormat | null;
  #quarter = Number.NaN;
  #hour = 0;
  #weekday = 0;

  constructor(timeZone: string) {
    this.#format = timeZone === 'UTC' ? null : formatOf(timeZone);
  }

  hour(now: number): number {
    this.#moveTo(now);
    return this.#hour;
  }

  weekday(now: number): number {
    this.#moveTo(now);
    return this.#weekday;
  }

  #moveTo(now: number): void {
    const quarter = Math.floor(now / QUARTER);
    if (quarter === this.#quarter) return;
    this.#quarter = quarter;
    const date = new Date(now);
    this.#hour = date.getUTCHours();
    this.#weekday = date.getUTCDay();
    if (this.#format === null) return;
    const parts = this.#format.formatToParts(date);
    const partOf = (name: string): string => parts.find(({ type }) => type === name)?.value ?? '';
    this.#hour = Number(partOf('hour'));
    this.#weekday = DAYS.indexOf(partOf('weekday'));
  }
}

/** @throws INVALID_INPUT for an unknown time zone. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      hourCycle: 'h23',
    });
  } catch {
    throw invalidInput('timeZone must be the name of a time zone, such as Europe/Berlin or UTC.');
  }
}
