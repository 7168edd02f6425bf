import { readAddress } from './address.ts';
import { isAnnotation, isPlaceOrKind } from './annotation.ts';
import { schemesNamed } from './protocol.ts';
import { Refused } from './refused.ts';
import type { LineForm } from './types.ts';

/** A login as the line has it, not decoded yet. */
export interface RawLogin {
  form: LineForm;
  username: string;
  password: string;
  /** After a scheme, where the username begins for sure. */
  isUrl: boolean;
  /** What the line has after the proxy. */
  tail: string;
}

/** An address inside a login: another proxy, whose login it may be. */
const ADDRESS =
  /(?<![\p{L}\d._-])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|(?:[\p{L}\d_-]+\.)+\p{L}{2,}:\d{1,5}(?!\d)|\[[\da-f.]*:[\da-f:.]*\])/iu;
const INVISIBLE = /[\p{Cf}\p{Zl}\p{Zp}]/u;
const QUOTE = /^["'`\u2018-\u201F]|["'`\u2018-\u201F]$/;
/** What stands before a username and is no part of it: `proxy=user`, `US,user`, `1|user`. */
const WORD_BEFORE = /^(?:[\w.$-]+\s*=|[^;]*[,|])/u;

/**
 * Rejects a login that may have swallowed what is none: a blank, a URL, another proxy, a protocol, a quote, a list's own
 * separators. Whoever has such a login names the form of the line, or writes a URL with percent escapes.
 *
 * @throws Refused (ambiguous), which says what is in the login.
 */
export function assertCertain(login: RawLogin, at: number): void {
  const { form, username, password, isUrl } = login;
  const both = `${username}:${password}`;
  if (/\s/.test(both)) throw doubtful('a blank is in the login', at);
  if (INVISIBLE.test(both)) throw doubtful('an invisible character is in the login', at);
  const isEncoded = isUrl && form === 'user:pass@host:port';
  if (!isEncoded && (QUOTE.test(username) || QUOTE.test(password)))
    throw doubtful('a quote is at the edge of the username or password', at);
  if (ADDRESS.test(both) && !(isEncoded && readAddress(both)))
    throw doubtful('another address is in the login', at);
  if (!isEncoded && schemesNamed(username)) throw doubtful('the username may be a protocol', at);
  if (isEncoded) return;
  if (/\/\//.test(username))
    throw doubtful('a scheme that is not written scheme:// may be in the username', at);
  if (schemesNamed(password)) throw doubtful('the password may be a protocol', at);
  if (isMislaid(form, username, password))
    throw doubtful('the login may be an annotation, such as a country', at);
  if (form === 'user:pass@host:port' || form === 'user:pass:host:port') assertBegins(username, at);
  else assertEnds(login, at);
}

/** Whether the login reads as columns of a country or anonymity; before an @ only a word alone does. */
function isMislaid(form: LineForm, username: string, password: string): boolean {
  const isWord = isAnnotation(username) && !/^\d+$/.test(username);
  if (form.includes('@') || password === '') return password === '' && isWord;
  return isPlaceOrKind(username) || (isWord && isPlaceOrKind(password));
}

/** The line begins with the username, so that a word before it would be a part of it. */
function assertBegins(username: string, at: number): void {
  const [, ...options] = username.split(';');
  // `name;country=US` is a username of some providers.
  const isBehindWord =
    WORD_BEFORE.test(username) ||
    /[()<>[\]]/.test(username) ||
    !options.every((option) => /[=-]/.test(option));
  if (isBehindWord) throw doubtful('the username may begin after a word that is not a part of it', at);
}

/** The line ends with the password, so that a word after it would be a part of it. */
function assertEnds({ username, password, tail }: RawLogin, at: number): void {
  if (/[,;|]/.test(username)) throw doubtful('a separator is in the username', at);
  if (/[/\])>]$/.test(password) || /^[,;|]+\s*$/.test(tail) || (tail !== '' && password.endsWith(':')))
    throw doubtful('the password may end before its last character', at);
  const last = /[:/@#_]([^:/@#_]+)$/u.exec(password)?.[1] ?? '';
  if (/^\p{Lu}{2}$|^[\p{L}]{4,}$/u.test(last) && isAnnotation(last))
    throw doubtful('the password may end before an annotation', at);
}

/** At the end of what is in the way both readings are named. */
export function doubtful(what: string, at: number): Refused {
  const advice = 'name the form with --format if it is a part, or write a URL with percent escapes';
  return new Refused('ambiguous', `${what}: ${advice}`, at);
}
