import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { minutesOfTime, type ScheduleWindow } from '../../src/model/schedule-window.ts';
import { localTime } from '../../src/rotation/local-time.ts';
import { compileSchedule } from '../../src/rotation/schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NAMES = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'UTC'];
/** Times near which the clocks of one of the zones change; and one at which none do. */
const CHANGES = [
  '2026-03-29T01:00Z',
  '2026-10-25T01:00Z',
  '2026-03-08T07:00Z',
  '2026-11-01T06:00Z',
  '2026-04-04T15:00Z',
  '2026-10-03T15:30Z',
  '2026-07-15T00:00Z',
].map((time) => Date.parse(time));

/** The weekday and the minutes since midnight that Intl shows: slow and plain. */
function clockOf(timeZone: string): (now: number) => { weekday: number; minutes: number } {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return (now) => {
    const [, name = '', hour, minute] = /^(\w+),? (\d+):(\d+)$/.exec(format.format(now)) ?? [];
    return { weekday: NAMES.indexOf(name), minutes: Number(hour) * 60 + Number(minute) };
  };
}

function holds(window: ScheduleWindow, { weekday, minutes }: { weekday: number; minutes: number }): boolean {
  const [from, to] = [minutesOfTime(window.from) ?? Number.NaN, minutesOfTime(window.to) ?? Number.NaN];
  const begins = (day: number): boolean => window.days?.includes((day + 7) % 7) ?? true;
  if (to > from) return begins(weekday) && minutes >= from && minutes < to;
  return (begins(weekday) && minutes >= from) || (begins(weekday - 1) && minutes < to);
}

const time = fc.oneof(
  fc.integer({ min: 0, max: 24 }),
  fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':')),
);
const window: fc.Arbitrary<ScheduleWindow> = fc.record(
  { from: time, to: time, days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }) },
  { requiredKeys: ['from', 'to'] },
);
const zone = fc.constantFrom(...ZONES);
const start = fc
  .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -3 * DAY, max: DAY }))
  .map(([change, distance]) => change + distance);

describe('a schedule', () => {
  it('has, in every minute around clock changes, the first window that has its weekday and time', () => {
    fc.assert(
      fc.property(fc.array(window, { maxLength: 5 }), zone, start, (windows, timeZone, first) => {
        const [windowAt, clock] = [compileSchedule(windows, timeZone), clockOf(timeZone)];
        for (let now = first; now < first + 3 * DAY; now += MINUTE) {
          const expected = windows.find((each) => holds(each, clock(now))) ?? null;
          const { window, until } = windowAt(now);
          if (window !== expected || until <= now)
            expect({ now, window, until }).toEqual({ now, window: expected, until: 'later' });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('says when that changes: not a minute before, and at once', () => {
    fc.assert(
      fc.property(fc.array(window, { minLength: 1, maxLength: 3 }), zone, start, (windows, timeZone, now) => {
        const clock = clockOf(timeZone);
        const at = (when: number) => windows.find((each) => holds(each, clock(when))) ?? null;
        const { window, until } = compileSchedule(windows, timeZone)(now);
        const last = Math.min(until, now + 9 * DAY);
        for (let each = now; each < last; each += MINUTE) expect(at(each)).toBe(window);
        expect(at(last - 1)).toBe(window);
        if (until === last) expect(at(until)).not.toBe(window);
        else expect(at(until === Number.POSITIVE_INFINITY ? now + 30 * DAY : now)).toBe(window);
      }),
      { numRuns: 60 },
    );
  });

  const spans = (windows: ScheduleWindow[], timeZone: string, from: string, changes: number): string[] => {
    const windowAt = compileSchedule(windows, timeZone);
    let now = Date.parse(from);
    return Array.from({ length: changes }, () => {
      const { window, until } = windowAt(now);
      now = until;
      return `${window === null ? 'none' : window.from} until ${new Date(until).toISOString()}`;
    });
  };

  it('holds over midnight, as part of the day on which it begins', () => {
    expect(spans([{ from: 22, to: 6, days: [5] }], 'UTC', '2026-01-02T12:00Z', 3)).toEqual([
      'none until 2026-01-02T22:00:00.000Z',
      '22 until 2026-01-03T06:00:00.000Z',
      'none until 2026-01-09T22:00:00.000Z',
    ]);
  });

  it('goes from Saturday to Sunday', () => {
    expect(
      spans([{ from: '23:30', to: '00:30', days: [6] }], 'Asia/Kolkata', '2026-01-03T12:00Z', 2),
    ).toEqual(['none until 2026-01-03T18:00:00.000Z', '23:30 until 2026-01-03T19:00:00.000Z']);
  });

  it('has the whole day where the window ends at the time at which it begins', () => {
    expect(spans([{ from: 8, to: 8, days: [1] }], 'UTC', '2026-01-05T08:00Z', 1)).toEqual([
      '8 until 2026-01-06T08:00:00.000Z',
    ]);
    for (const whole of [
      { from: 0, to: 0 },
      { from: 0, to: 24 },
      { from: 24, to: 24 },
      { from: 8, to: 8 },
    ])
      expect(compileSchedule([whole], 'Europe/Berlin')(0)).toEqual({
        window: whole,
        until: Number.POSITIVE_INFINITY,
      });
  });

  it('has no hour that the clocks leave out, and a repeated hour twice', () => {
    const night = [{ from: 2, to: 3 }];
    expect(spans(night, 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      'none until 2026-03-30T00:00:00.000Z',
      '2 until 2026-03-30T01:00:00.000Z',
    ]);
    expect(spans(night, 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      'none until 2026-10-25T00:00:00.000Z',
      '2 until 2026-10-25T02:00:00.000Z',
    ]);
    expect(spans([{ from: '02:30', to: 3 }], 'Europe/Berlin', '2026-10-24T12:00Z', 4)).toEqual([
      'none until 2026-10-25T00:30:00.000Z',
      '02:30 until 2026-10-25T01:00:00.000Z',
      'none until 2026-10-25T01:30:00.000Z',
      '02:30 until 2026-10-25T02:00:00.000Z',
    ]);
  });

  it('has no window if there are no windows', () => {
    expect(compileSchedule([], 'UTC')(5)).toEqual({ window: null, until: Number.POSITIVE_INFINITY });
  });

  it('gives its last answer again inside the span, and another one for a clock that was set back', () => {
    const windowAt = compileSchedule([{ from: 8, to: 10 }], 'UTC');
    const first = windowAt(9 * HOUR);
    expect(windowAt(10 * HOUR - 1)).toBe(first);
    expect(windowAt(8 * HOUR).window).toBe(first.window);
    expect(windowAt(8 * HOUR - 1).window).toBeNull();
    expect(windowAt(10 * HOUR).window).toBeNull();
  });
});

describe('the local time', () => {
  it('is what Intl shows, in every quarter of an hour', () => {
    fc.assert(
      fc.property(zone, start, (timeZone, first) => {
        const [timeAt, clock] = [localTime(timeZone), clockOf(timeZone)];
        for (let now = first; now < first + 3 * DAY; now += 7 * MINUTE) {
          const { weekday, minutes } = clock(now);
          expect(timeAt(now)).toEqual({ hour: Math.floor(minutes / 60), weekday });
        }
      }),
      { numRuns: 30 },
    );
  });

  it('is computed once in a quarter of an hour', () => {
    const timeAt = localTime('Europe/Berlin');
    const first = timeAt(0);
    expect(first).toEqual({ hour: 1, weekday: 4 });
    expect(timeAt(15 * MINUTE - 1)).toBe(first);
    expect(timeAt(15 * MINUTE)).not.toBe(first);
    expect(timeAt(-1)).toEqual({ hour: 0, weekday: 4 });
  });
});
