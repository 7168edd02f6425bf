import { InvalidArgumentError } from 'commander';
import { DURATION_FORMS, parseDuration } from '../model/duration.ts';
import { MAX_WEIGHT } from '../model/proxy.ts';
import { LARGEST_PAGE } from '../model/validation.ts';
import { type MaxRemove, parseMaxRemove } from '../transfer/removal.ts';

/** Reads an argument that is a whole number from 0; else the command is used wrongly. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** Reads an argument that is a whole number from 1. */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

/** Reads an argument that is how often a proxy is chosen, compared with others. */
export function proxyWeight(text: string): number {
  const weight = /^\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (weight > 0 && weight <= MAX_WEIGHT) return weight;
  throw new InvalidArgumentError(`It must be a number above 0, of at most ${MAX_WEIGHT}.`);
}

/** Reads an argument that is how many proxies a page has. */
export function pageSize(text: string): number {
  const value = positiveNumber(text);
  if (value > LARGEST_PAGE)
    throw new InvalidArgumentError(`It must be at most ${LARGEST_PAGE}: --after begins the next page.`);
  return value;
}

/** Reads an argument that is a length of time: `30s`, or a plain number of milliseconds. Gives milliseconds. */
export function milliseconds(text: string): number {
  const value = parseDuration(text) ?? (text.trim() === '' ? Number.NaN : Number(text));
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError(`It must be ${DURATION_FORMS}, or a number of milliseconds.`);
  return value;
}

/** Reads an argument that is a length of time in whole milliseconds, as they are stored. */
export function wholeMilliseconds(text: string): number {
  const value = parseDuration(text) ?? (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN);
  if (!Number.isSafeInteger(value))
    throw new InvalidArgumentError(`It must be ${DURATION_FORMS}, or a whole number of milliseconds.`);
  return value;
}

/** Reads an argument that is a length of time or an age, such as `30d`: a number without a unit could mean anything. Gives milliseconds. */
export function duration(text: string): number {
  const value = parseDuration(text);
  if (value === null) throw new InvalidArgumentError(`It must be ${DURATION_FORMS}.`);
  return value;
}

/** Reads an argument that is the status of an answer. */
export function httpStatus(text: string): number {
  if (/^[1-9]\d\d$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a status from 100 to 999, such as 429.');
}

/** Reads an argument that is a number of proxies or a share of them. */
export function numberOrShare(text: string): MaxRemove {
  const limit = parseMaxRemove(text);
  if (limit === null)
    throw new InvalidArgumentError('It must be a share such as 50%, or a whole number of proxies.');
  return limit;
}

/** Collects the values of an option that may be repeated. */
export function repeated(value: string, before: string[] = []): string[] {
  return [...before, value];
}
