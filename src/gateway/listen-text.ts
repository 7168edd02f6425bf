import { parseHost, parsePort } from '../model/host.ts';
import { invalidInput } from '../model/validation.ts';
import { ANYBODY, type ClientIdentity } from './identity.ts';
import { identityOfWords } from './username.ts';

/** A port to listen on, and who all its clients are. */
export interface ListenText {
  /** 0 for any free port. */
  readonly port: number;
  /** Undefined: the one of the gateway. */
  readonly host?: string | undefined;
  readonly identity: ClientIdentity;
}

const FORMS =
  'Give [HOST:]PORT, and perhaps = and who its clients are, as in 24001=country-de,session-a or 127.0.0.1:24002=tag-paid';

/**
 * Reads the value of `--listen`, such as `24001=country-de,session-a`. Between words and values there are commas or `-`.
 *
 * @throws INVALID_INPUT, which says what is allowed and never repeats a value.
 */
export function parseListen(text: string): ListenText {
  const end = text.indexOf('=');
  const address = end === -1 ? text : text.slice(0, end);
  const [, name, digits = ''] = /^(?:(\[[^\]]*\]|[^:[\]]*):)?(\d+)$/.exec(address) ?? [];
  const port = digits === '0' ? 0 : parsePort(digits);
  const parsed = name === undefined ? undefined : parseHost(name);
  if (port === null || (parsed !== undefined && 'error' in parsed))
    throw invalidInput(`The address to listen on is not valid. ${FORMS}.`);
  const words = end === -1 ? undefined : text.slice(end + 1);
  if (words === '') throw invalidInput(`There is nothing after the "=". ${FORMS}.`);
  const identity = words === undefined ? ANYBODY : identityOfWords(words, '-,');
  return { port, identity, ...(parsed !== undefined && { host: parsed.host }) };
}
