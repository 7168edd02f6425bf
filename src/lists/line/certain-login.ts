import type { LineForm } from '../options.ts';
import { readAddress } from '../parts/address.ts';
import { Refused } from '../parts/refused.ts';
import { namesProtocol, schemesNamed } from '../parts/scheme.ts';
import { isAnnotation, isPlaceOrKind } from './annotation.ts';

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
/** Text before a username that is no part of it: `proxy=user`, `US,user`, `1|user`, `-user`, `{user`, `1.user`. */
const WORD_BEFORE = /^(?:[\w.$-]+\s*=|[^;]*[,|]|[-*#}]|\{(?!\w+\})|\d{1,4}\.\p{L})/u;
/** A label before a colon: `proxy:user:pass@host:port`, `1:user:pass@host:port`. */
const LABEL_BEFORE = /^(?:prox(?:y|ies)|ip|host|server|login|auth)[\s_#-]?\d*$|^\d{1,4}$/i;
/** Marks of lists and of prose that few keyboards have: bullets, dashes, arrows, full-width commas, emoji. */
const MARK = /[\u00AB\u00B7\u00BB]|(?=[^\0-\u00FF])(?!\p{Sc})[\p{P}\p{S}]/u;
const PORT_INSIDE = /\d{1,3}(?:\.\d{1,3}){3}:\d/;
/** A URL without a scheme: `change.example/?key=1`. */
const LINK = /^[\w-]+(?:\.[\w-]+)+[/?]/;
/** What begins another part after a password: an arrow, or a bracket before such a link. */
const PART_BEGIN = /[-=]>|[[(<{](?:[\w-]+\.)+[\w-]+[/?]/;

/** The end of a password that looks cut off or wrapped: a bracket, a slash, an escape such as `\\n`, `{note}`. */
const CUT_OFF = /[/\\[\](){<>]$|\\[nrt](?:$|\\|\d)|[^{_-]\{(?!session|country|ttl)[^{}]*\}$/;

/** @throws Refused (ambiguous) for a login that may have swallowed other text: a URL, another proxy, a separator of the list. */
export function assertCertain(login: RawLogin, at: number): void {
  const doubt = doubtOf(login, at);
  if (doubt !== undefined) throw doubtful(doubt, at);
}

/** What makes a login doubtful, if anything does. @throws Refused (bad-credentials) for a masked password. */
function doubtOf(login: RawLogin, at: number): string | undefined {
  const { form, username, password, isUrl, tail } = login;
  const both = `${username}:${password}`;
  if (/\s/.test(both)) return 'a blank is in the login';
  if (INVISIBLE.test(both)) return 'an invisible character is in the login';
  const isEncoded = isUrl && form === 'user:pass@host:port';
  if (!isEncoded && (QUOTE.test(username) || QUOTE.test(password)))
    return 'a quote is at the edge of the username or password';
  if (ADDRESS.test(both) && !(isEncoded && readAddress(both))) return 'another address is in the login';
  // One word alone is the username, and the other is not somewhere else.
  const isElsewhere = tail.startsWith(':') && !namesProtocol(tail.slice(1));
  if (password === '' && (/[@/\\|,;=]/.test(username) || isElsewhere))
    return 'the password may be in the username, or after the port';
  if (username === '' && password.includes(':')) return 'the username may be in the password';
  // A slash ends what may hold a login in a URL, and elsewhere a link may come before one.
  if (isEncoded ? /[/?]/.test(username) : LINK.test(username)) return 'a URL may be in the username';
  if (namesProtocol(username) && !(isEncoded && !password.includes(':')))
    return 'the username may be a protocol';
  if (isEncoded) return undefined;
  if (MARK.test(both)) return 'a mark that may be no part of the login is in it';
  if (/^\*{3,}$/.test(password)) throw new Refused('bad-credentials', 'the password is masked', at);
  if (namesProtocol(/^[\p{L}\d]+(?=[^\p{L}\d_-])/u.exec(username)?.[0] ?? ''))
    return 'the username may begin after a protocol';
  if (/\/\//.test(username)) return 'a scheme that is not written scheme:// may be in the username';
  if (namesProtocol(password)) return 'the password may be a protocol';
  if (isMislaid(form, username, password)) return 'the login may be an annotation, such as a country';
  const isFirst = form === 'user:pass@host:port' || form === 'user:pass:host:port';
  return isFirst ? doubtOfBeginning(login) : doubtOfEnd(login);
}

/** Whether the login reads as columns of a country or anonymity; before an @ only a word alone does. */
function isMislaid(form: LineForm, username: string, password: string): boolean {
  const isWord = isAnnotation(username) && !/^\d+$/.test(username);
  if (form.includes('@') || password === '') return password === '' && isWord;
  return isPlaceOrKind(username) || (isWord && isPlaceOrKind(password));
}

/** The line begins with the username, so that a word before it would be a part of it. */
function doubtOfBeginning({ username, password }: RawLogin): string | undefined {
  const [, ...options] = username.split(';');
  // `name;country=US` is a username of some providers.
  const isAfterWord =
    WORD_BEFORE.test(username) ||
    /[()<>[\]]/.test(username) ||
    (password.includes(':') && (LABEL_BEFORE.test(username) || isAnnotation(username))) ||
    !options.every((option) => /[=-]/.test(option));
  return isAfterWord ? 'the username may begin after a word that is not a part of it' : undefined;
}

/** The line ends with the password, so that a word after it would be a part of it. */
function doubtOfEnd({ username, password, tail }: RawLogin): string | undefined {
  if (/[,;|]/.test(username)) return 'a separator is in the username';
  if (CUT_OFF.test(password) || /^[,;|]+\s*$/.test(tail))
    return 'the password may end before its last character';
  if (/^(?:user(?:name)?|login|usr)(?:=|$)/i.test(username) && /(?:^|:)(?:pass|pwd)\w*[:=]/i.test(password))
    return 'the names of the username and password are in the login';
  if (PORT_INSIDE.test(password)) return 'another address is in the login';
  const [, ...more] = password.split(':');
  // What follows the password shows that words follow it.
  const isMarked = more.length > 0 || /[#=~-]$/.test(password);
  if (PART_BEGIN.test(password) || (isMarked && tail !== ''))
    return 'the password may end before a word that is not a part of it';
  const last = /[:/@#_]([^:/@#_]+)$/u.exec(password)?.[1] ?? '';
  const protocol = /[^\p{L}\d]([\p{L}\d]+)[}\])]?$/u.exec(password)?.[1] ?? '';
  const isAnnotated = /^\p{Lu}{2}$|^[\p{L}]{4,}$/u.test(last) && isAnnotation(last);
  const isAtEnd = isAnnotated || schemesNamed(protocol) || more.some(isKnown);
  return isAtEnd ? 'the password may end before an annotation' : undefined;
}

/** Whether the text after a colon reads as something else than a password. */
function isKnown(part: string): boolean {
  return /^\d+$/.test(part) || namesProtocol(part) || LINK.test(part) || isAnnotation(part);
}

/** The error of a login that reads two ways, which says how to write the one that is meant. */
export function doubtful(what: string, at: number): Refused {
  const advice = 'name the form with --format if it is a part, or write a URL with percent escapes';
  return new Refused('ambiguous', `${what}: ${advice}`, at);
}
