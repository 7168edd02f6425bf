import { InvalidArgumentError } from 'commander';

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

/** Reads an argument that is a time in milliseconds. */
export function milliseconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError('It must be a number from 0.');
  return value;
}

/** Reads an argument that is a number of proxies or a share of them. */
export function numberOrShare(text: string): MaxRemove {
  const limit = parseMaxRemove(text);
  if (limit === null)
    throw new InvalidArgumentError('It must be a share such as 50%, or a whole number of proxies.');
  return limit;
}
