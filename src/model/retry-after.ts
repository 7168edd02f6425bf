/** No proxy is believed for longer than this. */
const LONGEST = 7 * 24 * 60 * 60 * 1000;

/** What a `Retry-After` asks for, in milliseconds; undefined for one that says nothing. It has seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(value: string, now: number = Date.now()): number | undefined {
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, LONGEST);
  if (!/^[A-Za-z]{3,9},? /.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), LONGEST);
}
