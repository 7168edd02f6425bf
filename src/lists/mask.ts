import type { RefusalCode } from './types.ts';

/** What stands in place of a secret. */
export const MASK = '***';

/** An address that no username or password is mistaken for. */
const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]{2,45}\])(?::\d{1,5}(?!\d))?/i;
const NAME_AND_PORT = /^[\p{L}\d_-]+(?:\.[\p{L}\d_-]+)+:\d{1,5}\/?$/u;
const NAME = /^[\p{L}\d_-]+(?:\.[\p{L}\d_-]+)+\/?$/u;

/**
 * A refused line with all that may be a credential masked, to be printed. Only what is surely an address stays, and of
 * an ambiguous line nothing: nobody knows which part was the password.
 */
export function maskLine(line: string, code?: RefusalCode): string {
  const text = line.trim();
  const scheme = /^(?:https?|socks[45][ah]?):\/\//i.exec(text)?.[0] ?? '';
  if (code === 'ambiguous') return `${scheme}${MASK}`;
  const rest = text.slice(scheme.length);
  const split = rest.lastIndexOf('@');
  // An address on both sides of the @: one of them is a login.
  if (split !== -1 && NAME_AND_PORT.test(rest.slice(0, rest.indexOf('@')).slice(0, 260)))
    return `${scheme}${MASK}`;
  const address = rest.slice(split + 1);
  return `${scheme}${split === -1 ? '' : `${MASK}@`}${maskAddress(address, scheme !== '' && split === -1)}`;
}

function maskAddress(text: string, isUrlHost: boolean): string {
  if (text.length <= 260 && (NAME_AND_PORT.test(text) || (isUrlHost && NAME.test(text)))) return text;
  const ip = IP.exec(text)?.[0];
  if (ip === undefined) return text === '' ? '' : MASK;
  return ip.length === text.length ? ip : `${ip}${MASK}`;
}
