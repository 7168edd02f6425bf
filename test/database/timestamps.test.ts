import { describe, expect, it } from 'vitest';
import {
  assertDay,
  dayOf,
  fromStored,
  isStoredDay,
  isStoredTime,
  storedFrom,
  toStored,
} from '../../src/database/timestamps.ts';
import { thrownBy } from '../support/temporary.ts';

const FIRST = Date.parse('0000-01-01T00:00:00.000Z');
const LAST = Date.parse('9999-12-31T23:59:59.999Z');

describe('a time', () => {
  it('is stored to the millisecond and read back, from the year 0 to 9999', () => {
    const times = [FIRST, FIRST + 1, -1, 0, 1, 999, 1000, 1001, Date.UTC(2024, 1, 29), LAST - 1, LAST];
    // One after the other, and each twice: the last text is remembered.
    for (const time of [...times, ...times.flatMap((each) => [each, each])]) {
      const iso = new Date(time).toISOString();
      const stored = toStored(time);
      expect(stored).toBe(iso.replace('T', ' ').replace('Z', ''));
      expect(fromStored(stored)).toBe(iso);
      expect(dayOf(time)).toBe(iso.slice(0, 10));
      expect([isStoredTime(stored), isStoredDay(dayOf(time))]).toEqual([true, true]);
    }
    for (const time of [FIRST - 1, LAST + 1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(thrownBy(() => toStored(time))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('of another program is read with or without a fraction', () => {
    for (const [stored, iso] of [
      ['2026-01-31 12:34:56', '2026-01-31T12:34:56.000Z'],
      ['2026-01-31T12:34:56Z', '2026-01-31T12:34:56.000Z'],
      ['2026-01-31 12:34:56.7', '2026-01-31T12:34:56.700Z'],
      ['2026-01-31T12:34:56.78Z', '2026-01-31T12:34:56.780Z'],
      ['2026-01-31 12:34:56.789', '2026-01-31T12:34:56.789Z'],
      ['2026-01-31 12:34:56.789012Z', '2026-01-31T12:34:56.789Z'],
    ] as const)
      expect([stored, isStoredTime(stored), fromStored(stored)]).toEqual([stored, true, iso]);
  });

  it('of a user is a Date or ISO 8601 with its zone', () => {
    for (const [given, stored] of [
      [new Date(0), '1970-01-01 00:00:00.000'],
      ['2026-01-31', '2026-01-31 00:00:00.000'],
      ['2026-01-31T12:00:00Z', '2026-01-31 12:00:00.000'],
      ['2026-01-31T12:00:00.5Z', '2026-01-31 12:00:00.500'],
      ['2026-01-31T12:00:00+02:00', '2026-01-31 10:00:00.000'],
      ['2026-01-31T23:00-02:30', '2026-02-01 01:30:00.000'],
    ] as const)
      expect([given, storedFrom(given, 'time')]).toEqual([given, stored]);
    const wrong = [
      '',
      'today',
      '2026',
      '2026-13-01',
      '2026-01-31T12:00:00',
      '2026-01-31 12:00',
      '31.1.2026',
      new Date(Number.NaN),
      0,
      null,
    ];
    for (const given of wrong)
      expect(thrownBy(() => storedFrom(given as string, 'from'))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('from'),
      });
  });
});

describe('a day', () => {
  it('is one of the calendar', () => {
    for (let time = Date.UTC(2023, 11, 25); time < Date.UTC(2025, 0, 5); time += 86_400_000)
      expect(assertDay(dayOf(time), 'day')).toBe(dayOf(time));
    const wrong = [
      '2023-02-29',
      '2023-02-30',
      '2024-02-30',
      '2024-04-31',
      '2024-01-32',
      '2024-00-01',
      '2024-13-01',
      '2024-01-00',
    ];
    for (const day of [...wrong, '2024-1-1', '2024-01-01T00:00:00Z', '', 20_240_101, null])
      expect(thrownBy(() => assertDay(day as string, 'date'))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('date'),
      });
    for (const day of wrong) expect(isStoredTime(`${day} 00:00:00`)).toBe(false);
    expect([isStoredDay('2000-02-29'), isStoredDay('1900-02-29')]).toEqual([true, false]);
    expect([isStoredTime('2024-01-01 23:59:59'), isStoredTime('2024-01-01 24:00:00')]).toEqual([true, false]);
  });
});
