import type { Fields, Member } from './fields.ts';
import { isKnown, plainText } from './values.ts';

/** Milliseconds, or why the time is left out. */
export type ResponseTime = number | { leftOut: string } | undefined;

/** Without a unit, a fraction below it can only be seconds, and what is from `LEAST_MILLISECONDS` on only milliseconds. */
const MOST_SECONDS = 10;
const LEAST_MILLISECONDS = 100;
const MOST_MILLISECONDS = 3_600_000;
const MOST_LATENCY = 1e15;

const MILLISECONDS = /^(?:ms|msecs?|millis|milliseconds?|мс|毫秒)$/i;
const SECONDS = /^(?:s|secs?|seconds?|с|сек|秒)$/i;
const TIME = /^\s*(\d{1,15}(?:[.,]\d{1,15})?)\s*(\p{L}{0,12})\.?\s*$/u;

/**
 * The response time of a record, if it is certain. The unit in the value or the name decides. Without a unit, milliseconds are
 * numbers from 100 on, and whole numbers of `latency` (as proxyvault writes it) and `ping`. Other fractions below 10 are seconds.
 */
export function readResponseTime(fields: Fields): ResponseTime {
  let leftOut: ResponseTime;
  for (const member of fields.all('time').sort((one, other) => one.meaning.rank - other.meaning.rank)) {
    const time = toMilliseconds(member);
    if (typeof time === 'number') return time;
    leftOut ??= time;
  }
  return leftOut;
}

function toMilliseconds({ name, value, meaning }: Member): ResponseTime {
  if (!isKnown(value)) return undefined;
  const [, digits = '', letters = ''] = TIME.exec(plainText(value)) ?? [];
  const number = typeof value === 'number' ? value : Number(digits.replace(',', '.'));
  if (!(number >= 0) || (typeof value !== 'number' && digits === ''))
    return leftOut('it is not a number from 0');
  const unit = letters === '' ? meaning.unit : unitNamed(letters);
  if (letters !== '' && unit === undefined) return leftOut('its unit is unknown');
  if (/,\d{3}$/.test(digits)) return leftOut('its comma may separate decimals or thousands');
  const isLatency = /^(?:latency|ping)$/i.test(name.trim());
  // Lists write 0 for what was not measured.
  if (number === 0 && !isLatency) return undefined;
  const most = isLatency || unit === 'ms' ? MOST_LATENCY : MOST_MILLISECONDS;
  const milliseconds = inMilliseconds(number, unit, isLatency);
  if (milliseconds === undefined) return leftOut('it may be seconds or milliseconds');
  return milliseconds <= most ? Math.round(milliseconds) : leftOut('it is longer than an hour');
}

function unitNamed(letters: string): 'ms' | 's' | undefined {
  if (MILLISECONDS.test(letters)) return 'ms';
  return SECONDS.test(letters) ? 's' : undefined;
}

function inMilliseconds(
  number: number,
  unit: 'ms' | 's' | undefined,
  isLatency: boolean,
): number | undefined {
  if (unit !== undefined) return unit === 's' ? number * 1000 : number;
  if (number >= LEAST_MILLISECONDS || (isLatency && Number.isInteger(number))) return number;
  return number < MOST_SECONDS && !Number.isInteger(number) && !isLatency ? number * 1000 : undefined;
}

function leftOut(why: string): ResponseTime {
  return { leftOut: `the response time was left out: ${why}` };
}
