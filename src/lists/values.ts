/** What stands where a list does not know. */
const UNKNOWN = /^(?:|-|zz|n\/?a|none|null|undefined|unknown)$/i;

/** A printable text of at most so many characters; else undefined. */
export function readText(value: unknown, most: number): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > most) return undefined;
  return /\p{Cc}/u.test(value) || !value.isWellFormed() ? undefined : value;
}

/** As `readText`, but undefined also for what means that it is not known. */
export function readKnown(value: unknown, most: number): string | undefined {
  const text = readText(value, most)?.trim();
  return text === undefined || UNKNOWN.test(text) ? undefined : text;
}

/** A number in a range, written as one or as a text; else undefined. */
export function readNumber(value: unknown, least: number, most: number): number | undefined {
  const isNumeric =
    typeof value === 'number' ||
    (typeof value === 'string' && /^\s*-?\d{1,15}(?:\.\d{1,15})?\s*$/.test(value));
  const number = isNumeric ? Number(value) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}
