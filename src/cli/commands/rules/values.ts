import { invalidInput } from '../../../model/validation.ts';

/**
 * Reads one value: a text as it is, or in double or single quotes, in which a quote is written twice.
 *
 * @param what whose value it is, for the error.
 * @throws INVALID_INPUT.
 */
export function readValue(text: string, what: string): string {
  const { value, end } = readItem(text, 0, { separator: null, what });
  if (end < text.length)
    throw invalidInput(
      `After the closing quote of ${what} there is more text: write a quote inside of quotes twice.`,
    );
  return value;
}

/** Reads values that are separated by commas, each as {@link readValue} does. @throws INVALID_INPUT. */
export function readList(text: string, what: string): string[] {
  const values: string[] = [];
  for (let at = 0; at <= text.length; ) {
    const { value, end } = readItem(text, at, { separator: ',', what });
    if (end < text.length && text[end] !== ',')
      throw invalidInput(`A quoted value of ${what} is followed by text: write a comma between values.`);
    values.push(value);
    at = end + 1;
  }
  return values;
}

/** A value as {@link readValue} reads it, quoted where it must be. */
export function written(value: string, { inList = false } = {}): string {
  const isPlain =
    value.trim() === value &&
    !/^["']/.test(value) &&
    !/^case-sensitive\s/.test(value) &&
    !(inList && value.includes(','));
  return isPlain && value !== '' ? value : `"${value.replaceAll('"', '""')}"`;
}

interface Reading {
  separator: string | null;
  what: string;
}

/** The value that begins at a place, and where it ends: at a separator, at the end, or at text that does not belong there. */
function readItem(text: string, from: number, { separator, what }: Reading): { value: string; end: number } {
  const start = from + leadingSpace(text.slice(from));
  const quote = text[start];
  if (quote === '"' || quote === "'") {
    const close = closingQuote(text, start + 1, quote);
    if (close === -1)
      throw invalidInput(`A quote in the value of ${what} is not closed: write ${quote} after it.`);
    const value = text.slice(start + 1, close).replaceAll(quote + quote, quote);
    return { value, end: close + 1 + leadingSpace(text.slice(close + 1)) };
  }
  const found = separator === null ? -1 : text.indexOf(separator, start);
  const end = found === -1 ? text.length : found;
  const value = text.slice(start, end).trim();
  if (value !== '') return { value, end };
  throw invalidInput(
    separator === null
      ? `${what} has no value.`
      : `A value of ${what} is missing: write values with commas between them.`,
  );
}

function leadingSpace(text: string): number {
  return text.length - text.trimStart().length;
}

function closingQuote(text: string, from: number, quote: string): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 2))
    if (text[at + 1] !== quote) return at;
  return -1;
}
