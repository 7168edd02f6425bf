const UNITS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** How to write a length of time, for messages and help. */
export const DURATION_FORMS = 'a number with ms, s, m, h, d or w, such as 500ms, 30s, 5m, 1h, 7d or 2w';

/** The milliseconds of a length of time such as `30s` or `1.5h`; null for anything else. The unit is needed. */
export function parseDuration(text: string): number | null {
  const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)(ms|[smhdw])$/.exec(text.trim()) ?? [];
  const factor = UNITS[unit];
  if (digits === undefined || factor === undefined) return null;
  // Only milliseconds have parts: 0.1s is 100, and not 100.00000000000001.
  const value = unit === 'ms' ? Number(digits) : Math.round(Number(digits) * factor);
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
}
