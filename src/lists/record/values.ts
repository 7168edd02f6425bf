/** What lists write if they do not know something. */
const UNKNOWN = /^(?:|-|zz|n\/?a|none|null|undefined|unknown)$/i;

/** A printable text of at most `most` characters; else undefined. */
export function readText(value: unknown, most: number): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > most) return undefined;
  return /\p{Cc}/u.test(value) || !value.isWellFormed() ? undefined : value;
}

/** Whether a value says something: not `-`, `N/A`, `null`, `unknown` and the like. */
export function isKnown(value: unknown): boolean {
  return typeof value === 'string' ? !UNKNOWN.test(value.trim()) : value !== null && value !== undefined;
}

/** As `readText`, but undefined also for what means that it is not known. */
export function readKnown(value: unknown, most: number): string | undefined {
  const text = readText(value, most)?.trim();
  return text === undefined || UNKNOWN.test(text) ? undefined : text;
}

/** `true`, `1`, `yes` or their opposites, in any case; else undefined. */
export function readFlag(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value).trim().toLowerCase();
  if (/^(?:true|1|yes|y|on|ja|oui|si|sí|да|是|✓|✔|\+)$/.test(text)) return true;
  return /^(?:false|0|no|n|off|nein|non|нет|否|✗|✘|-|n\/a|null|none)$/.test(text) ? false : undefined;
}

/** A number in a range, written as one or as a text; else undefined. */
export function readNumber(value: unknown, least: number, most: number): number | undefined {
  const isNumeric =
    typeof value === 'number' ||
    (typeof value === 'string' && /^\s*-?\d{1,15}(?:\.\d{1,15})?\s*$/.test(value));
  const number = isNumeric ? Number(value) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A text, number or flag as a text. Lists and objects have no text: deep ones would exhaust the stack. */
export function plainText(value: unknown): string {
  return typeof value === 'object' || typeof value === 'function' ? '' : String(value);
}

/** An object that is no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
