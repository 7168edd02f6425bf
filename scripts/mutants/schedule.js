/** Faults of one file: what is wrong, the text, and its replacement. */
function of(file, faults) {
  return faults.map(([what, from, to]) => ({ file: `src/${file}.ts`, what, from, to }));
}

export default {
  tests: ['test/rotation/schedule', 'test/rotation/interval', 'test/model/strategy-options'],
  faults: [
    ...of('model/schedule-window', [
      ['a window cannot end at midnight', 'time <= 24 ?', 'time < 24 ?'],
      ['24:30 is a time', 'minutes <= 24 * 60 ?', 'minutes <= 24 * 60 + 30 ?'],
      ['times keep their form', 'value.padStart(5, ', 'value.padStart(1, '],
      ['days keep their order', '[...new Set(days)].sort()', '[...new Set(days)]'],
      ['a day may be there twice', '[...new Set(days)].sort()', 'days.sort()'],
      ['there may be no day', '.min(1)\n', ''],
      ['capital letters are no part of a weekday', 'value.toLowerCase()', 'value'],
      ['a window may ask for a window', "exclude(['time-based', 'custom'])", "exclude(['custom'])"],
    ]),
    ...of('model/strategy-options', [
      ['bounds may be the wrong way round', 'if (problem !== null) context', "if (problem === '') context"],
      ['bounds may not be equal', 'minIntervalMs > maxIntervalMs', 'minIntervalMs >= maxIntervalMs'],
      ['cooldowns may not be equal', 'cooldownMs <= maxCooldownMs', 'cooldownMs < maxCooldownMs'],
      [
        'the longest cooldown has no default',
        '{ ...POOL_DEFAULTS.health, ...options.health }',
        'options.health',
      ],
      ['a group is replaced', '{ ...stored[group], ...given }', '{ ...given }'],
      [
        'a group without options is kept',
        'options.length === 0 ? undefined :',
        'options.length === -1 ? undefined :',
      ],
      ['custom may be custom', "strategySchema.exclude(['custom'])", 'strategySchema'],
    ]),
    ...of('database/repositories/rotation-config.repository', [
      [
        'options may contradict stored ones',
        'if (problem !== null) throw invalidInput(`${problem}.',
        "if (problem === '') throw invalidInput(`${problem}.",
      ],
    ]),
    ...of('model/country', [['countries keep their case', '\n  .toUpperCase()', '']]),
    ...of('model/strategy-settings', [
      ['undefined wins over a default', 'value !== undefined)', 'value !== null)'],
      ['options are not applied', '    ...withoutAbsent(simple),\n', ''],
    ]),
    ...of('rotation/week-table', [
      ['the last window wins', '[...windows.entries()].reverse()', '[...windows.entries()]'],
      ['the whole day is no time', 'end > start ?', 'end >= start ?'],
      ['Saturday night has no Sunday', 'first + length - WEEK)', '0)'],
      ['a span has one more minute', '?? 0) + 1 : 1', '?? 0) + 1 : 2'],
    ]),
    ...of('rotation/schedule', [
      ['an answer holds for good', 'now < holding.until', 'true'],
      ['a clock that is set back is not seen', 'now >= from && ', ''],
      ['every call computes', 'from = now;', ''],
      ['an answer ends at the second', 'time - intoMinute +', 'time +'],
      ['a week begins on Monday', '4 * 24 * 60', '3 * 24 * 60'],
      ['clock changes are not seen', 'time = nextClockChange(offsetAt, time, ', 'time = Math.max(time, '],
    ]),
    ...of('rotation/zone-offset', [
      [
        'a clock change is seen a day late',
        'return firstDifference(offsetAt, before, after);',
        'return after;',
      ],
      ['milliseconds are part of the offset', ' - whole;', ' - now;'],
    ]),
    ...of('rotation/local-time', [
      ['an answer holds for an hour', 'HOUR / 4', 'HOUR'],
      ['the first day was a Friday', 'FIRST_WEEKDAY = 4', 'FIRST_WEEKDAY = 5'],
      ['the time is computed each time', 'if (now >= from && now < from + QUARTER) return time;', ''],
    ]),
    ...of('rotation/interval', [
      ['jitter only adds', '(2 * random() - 1)', 'random()'],
      ['the bounds are before the jitter', 'Math.max(length, minIntervalMs)', 'length'],
      [
        'there is no upper bound',
        'Math.min(Math.max(length, minIntervalMs), maxIntervalMs)',
        'Math.max(length, minIntervalMs)',
      ],
      ['an interval ends after all time', 'Math.min(since + bounded, LAST_TIME)', 'since + bounded'],
    ]),
  ],
};
