import type { RefusalCode } from '../verdicts.ts';
import { isAddress, isBareAddress, isGlobalIPv6, isHarmless } from './harmless.ts';

/** What is shown instead of a secret. */
export const MASK = '***';

/** An address that no username or password is mistaken for, at the beginning of a text. */
const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]{2,45}\])(?::\d{1,5}(?!\d))?(?![\p{L}\d.])/iu;

/** One login, `user:pass` or a single word. The colon is not that of a port: the login would then come after the `@`. */
const LOGIN = /^([^\s@:,;|]*)(?::(?!\d{1,5}$)[^\s@:,;|]*)?$/;

/**
 * A rejected line to be printed: in full if it surely has no credential, else only what is surely an address. Of an ambiguous
 * line nothing is shown, since nobody knows which part is the password.
 */
export function maskLine(line: string, code?: RefusalCode): string {
  const text = line.trim();
  const [scheme = ''] = /^(?:https?|socks[45][ah]?):\/\//i.exec(text) ?? [];
  if (code === 'ambiguous') return isGlobalIPv6(text) ? text : `${scheme}${MASK}`;
  if (isHarmless(text)) return text;
  const rest = text.slice(scheme.length);
  const split = rest.lastIndexOf('@');
  if (split === -1) return `${scheme}${maskAddress(rest)}`;
  const [, username] = LOGIN.exec(rest.slice(0, split)) ?? [];
  if (username === undefined || isBareAddress(username)) return `${scheme}${MASK}`;
  return `${scheme}${MASK}@${maskAddress(rest.slice(split + 1))}`;
}

function maskAddress(text: string): string {
  if (isAddress(text)) return text;
  const [ip] = IP.exec(text) ?? [];
  if (ip === undefined) return text === '' ? '' : MASK;
  return ip.length === text.length ? ip : `${ip}${MASK}`;
}
