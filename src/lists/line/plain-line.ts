import { isIPv4 } from 'node:net';

import { MAX_PORT, parsePort } from '../../model/host.ts';
import { LINE_FORMS, type ParseOptions } from '../options.ts';
import { toAddress } from '../parts/address.ts';
import { namesProtocol, schemeOf } from '../parts/scheme.ts';
import type { ListedProxy } from '../verdicts.ts';
import { isPlaceOrKind } from './annotation.ts';

/** An IPv4 address with its port, and perhaps a scheme: what most lines of free lists are. */
const PLAIN = /^(?:(https?|socks[45][ah]?):\/\/)?(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}):([1-9]\d{0,4})$/;
/** The longest line of that kind: `socks5h://255.255.255.255:65535`. */
const MAX_PLAIN = 31;

/** A login of letters, digits, `_` and `-` before or after the address: what most lines of paid lists are. */
const WITH_LOGIN =
  /^(?:(https?|socks[45][ah]?):\/\/)?(?:([\w-]{1,64}):([\w-]{1,64})@)?((?:[a-z\d-]{1,63}\.){1,8}[a-z\d-]{1,63}):([1-9]\d{0,4})(?::([\w-]{1,64}):([\w-]{1,64}))?$/;
/** A password may end before a word that follows such a character. */
const LAST_WORD = /_[a-z]+$|[_-](?:http|socks?)[a-z\d]*$/i;
const NAMED_FORMS: ReadonlySet<string> = new Set(['colon', ...LINE_FORMS]);

/** The proxy of a line that one expression can read, several times faster and with the same result; null for any other line. */
export function readPlainLine(line: string, options: ParseOptions): ListedProxy | null {
  const match = line.length <= MAX_PLAIN ? PLAIN.exec(line) : null;
  if (match === null) return NAMED_FORMS.has(options.format ?? 'auto') ? null : readWithLogin(line, options);
  const [, scheme, host = '', digits] = match;
  const port = Number(digits);
  return port <= MAX_PORT && isIPv4(host) ? withScheme(scheme, { host, port }, options) : null;
}

function readWithLogin(line: string, options: ParseOptions): ListedProxy | null {
  const match = WITH_LOGIN.exec(line);
  if (match === null) return null;
  const [, scheme, userBefore, passBefore = '', name = '', digits = '', userAfter, passAfter = ''] = match;
  const isBefore = userBefore !== undefined;
  const username = userBefore ?? userAfter;
  if (username === undefined || isBefore === (userAfter !== undefined)) return null;
  const password = isBefore ? passBefore : passAfter;
  if (!(isBefore && scheme !== undefined) && isDoubtful(username, password, isBefore)) return null;
  const port = parsePort(digits);
  const address = port === null ? null : toAddress(name, port);
  if (!address?.isSure) return null;
  return withScheme(scheme, { host: address.host, port: address.port, username, password }, options);
}

/** What only all the other rules together can judge. */
function isDoubtful(username: string, password: string, isBefore: boolean): boolean {
  if (namesProtocol(username) || namesProtocol(password) || username === 'localhost') return true;
  if (isBefore) return username.startsWith('-');
  const isWord = isPlaceOrKind(username) || isPlaceOrKind(password);
  return isWord || LAST_WORD.test(password);
}

function withScheme(
  name: string | undefined,
  endpoint: Omit<ListedProxy, 'protocol'>,
  { protocol = 'http', strictProtocol }: ParseOptions,
): ListedProxy | null {
  if (name === undefined) return strictProtocol ? null : { protocol, ...endpoint };
  const scheme = schemeOf(name);
  return scheme && { ...scheme, ...endpoint };
}
