import { MAX_NAME } from '../../model/proxy.ts';
import { webUrlProblem } from '../../model/web-url.ts';
import { type Piece, readAddress } from '../parts/address.ts';
import { Refused } from '../parts/refused.ts';
import { isUnsupported, requireSchemes, type Scheme, schemesNamed } from '../parts/scheme.ts';
import { decodePercent } from '../parts/url.ts';
import type { ListedProxy } from '../verdicts.ts';
import { hasProtocol, readAnnotation, saidBy } from './annotation.ts';

export interface Tail extends Pick<ListedProxy, 'name' | 'geolocation' | 'latency' | 'rotateUrl'> {
  schemes?: readonly Scheme[];
  note?: string;
}

/** What comes before the tail: an address without a login, an address after its login, or a password. */
export type After = 'address' | 'login' | 'password';

const COMMENT = /^(?:#+|;|\/\/)\s*/;
/** Two words around a colon, a semicolon, a bar, an @ or a = may be a login. A time or a URL is not. */
const LOGIN = /(?<!\S)(?!\d\d?:\d\d(?::\d\d)?(?!\S)|https?:\/\/)[^\s:;|@=]+[:;|@=](?!\/\/)[^\s:;|@=]+/iu;
/** `user alice`, `pass: x`. */
const LOGIN_WORD =
  /(?<![\p{L}\d])(?:user(?:name)?|login|pass(?:word|wd)?|pwd|auth|логин|пароль|密码|用户名)(?![\p{L}\d])[\s:=-]*[^\s:=-]/iu;
/** A password as generators make it, with letters around a digit. */
const GENERATED = /^(?=.*\p{L}\d)(?=.*\d\p{L})\S{6,}$/u;

/**
 * Reads what follows a proxy: a `/`, a `#name`, a comment, an annotation of known words, a change-IP URL, or, after a login,
 * `:name`. After a scheme (`isUrl`) a name or comment may name another protocol in passing.
 * @throws Refused (trailing-text, ambiguous, bad-credentials) for anything else: it may be a login, or part of one.
 */
export function readTail(tail: Piece, after: After, isUrl: boolean): Tail {
  const { text, at } = tail;
  if (text === '' || text === '/') return {};
  const fragment = /^\/?#(.*)$/su.exec(text)?.[1];
  if (fragment !== undefined)
    return readName({ text: fragment, at: at + text.length - fragment.length }, after, isUrl);
  if (/^[/?]\S/.test(text)) throw new Refused('trailing-text', 'a path or query follows the port', at);
  if (/^:[^:]/.test(text)) return readWord(tail, after);
  const trimmed = text.replace(/^\//, '').trim();
  if (COMMENT.test(trimmed) && /^[\s/]/.test(text)) return readComment(tail, after, isUrl);
  if (trimmed.includes('://')) return readRotateUrl({ text: trimmed, at }, after);
  return readWords({ text: trimmed, at }, after);
}

function readName({ text, at }: Piece, after: After, isUrl: boolean): Tail {
  const raw = text.trim();
  const schemes = schemesNamed(raw);
  if (schemes) return isUrl ? { schemes, name: raw } : { schemes };
  if (isWholeUrl(raw)) return { rotateUrl: raw };
  if (!isUrl) assertNoProtocol(raw, at);
  const isLogin = after === 'address' && (isPair(raw) || (/\s/.test(raw) && mayBeLogin(raw)));
  // With a login of its own, a proxy may be followed by another one.
  if (isLogin || raw.includes('://') || /[\p{L}\d\]]:\d{1,5}[:@;|]\S/u.test(raw)) {
    const reason =
      'this reads as a name, and as a login: write user:pass@host:port, or a name without : ; | and @';
    throw new Refused('ambiguous', reason, at);
  }
  const name = decodePercent(raw);
  const fits = name !== '' && name.length <= MAX_NAME && !/\p{Cc}/u.test(name) && name.isWellFormed();
  if (fits) return { name };
  return name === '' ? {} : { note: 'a name that is too long or not printable was ignored' };
}

/** `:socks5`, or after a login the name that antidetect browsers write. */
function readWord({ text, at }: Piece, after: After): Tail {
  const word = text.slice(1).trim();
  const schemes = schemesNamed(word) ?? (isUnsupported(word) ? requireSchemes(word, at + 1) : null);
  if (schemes) return { schemes };
  if (after === 'address')
    throw new Refused(
      'bad-credentials',
      'a username stands without a password: write host:port:user:pass',
      at + 1,
    );
  if (/^https?:\/\//i.test(word)) return readRotateUrl({ text: word, at: at + 1 }, after);
  if (/^(?=.*\p{L})[\p{L}\d][\p{L}\d _.-]{0,63}$/u.test(word)) return { name: word };
  throw unknownTail(at, after);
}

function readComment({ text, at }: Piece, after: After, isUrl: boolean): Tail {
  // Without a blank after it, the mark may belong to the password.
  if (after === 'password' && !/^\s+(?:#+|;|\/\/)\s/.test(text)) throw unknownTail(at, after);
  const said = text.trim().replace(COMMENT, '');
  if (said !== '' && !(isUrl && hasProtocol(said)) && readAnnotation(said) !== null)
    return readWords({ text: said, at }, 'address');
  const schemes = schemesNamed(said);
  if (schemes) return { schemes };
  if (!isUrl) assertNoProtocol(said, at);
  if (after === 'address' && mayBeLogin(said))
    throw new Refused(
      'ambiguous',
      'the comment after the proxy may be its login: write user:pass@host:port',
      at,
    );
  return { note: 'a comment after the proxy was ignored' };
}

/** A protocol in a name or comment of a proxy without a scheme may be the proxy's. */
function assertNoProtocol(text: string, at: number): void {
  if (isUnsupported(text)) requireSchemes(text, at);
  if (hasProtocol(text))
    throw new Refused(
      'ambiguous',
      'what follows the proxy names a protocol: write it before the proxy, as in socks5://',
      at,
    );
}

/** Whether a text is two words around a separator, and no address. */
function isPair(text: string): boolean {
  return /^[^\s:;|@]+[:;|@][^\s]+$/u.test(text) && !readAddress(text)?.isSure;
}

/** Whether a comment reads as a username and a password, also between blanks or after words such as `user`. */
function mayBeLogin(text: string): boolean {
  const words = text.split(/[\s:;|,/-]+/).filter((word) => word !== '');
  return (
    LOGIN.test(text) ||
    LOGIN_WORD.test(text) ||
    (words.length === 2 && words.some((word) => GENERATED.test(word)))
  );
}

/** Reads a URL that may be in brackets, and may follow known words. */
function readRotateUrl({ text, at }: Piece, after: After): Tail {
  const [, words = '', open, rest = ''] = /^(.*?)([[(<]?)(https?:\/\/\S+)$/isu.exec(text) ?? [];
  const close = { '[': ']', '(': ')', '<': '>' }[open ?? ''] ?? '';
  const url = close !== '' && rest.endsWith(close) ? rest.slice(0, -1) : rest.replace(/[,;]$/, '');
  if (!isWholeUrl(url) || !/^$|[\s[(<|,;:]$/.test(words + open)) throw unknownTail(at, after);
  return { ...readWords({ text: words.trimEnd().replace(/[|,;:]$/, ''), at }, after), rotateUrl: url };
}

/** Whether a text is a URL that has a path or query and no character that ends a word. A bare address may be another proxy. */
function isWholeUrl(url: string): boolean {
  if (/[^!-~]|["[\\\]()<>,;^`{|}]/.test(url) || webUrlProblem(url) !== null) return false;
  const { pathname, search } = new URL(url);
  return pathname !== '/' || search !== '';
}

function readWords({ text, at }: Piece, after: After): Tail {
  const annotation = readAnnotation(text.replace(/^@/, ''));
  // Only a protocol follows an @.
  const isLone = text.startsWith('@') && annotation?.schemes.length === 0;
  // A mark after a password may be a part of it.
  if (annotation === null || isLone || (after === 'password' && text !== '' && !/\p{L}{2}/u.test(text)))
    throw unknownTail(at, after);
  return saidBy(annotation);
}

function unknownTail(at: number, after: After): Refused {
  return after !== 'address'
    ? new Refused(
        'ambiguous',
        'the login may end here, or it may be longer: name the form with --format, or write a URL with percent escapes',
        at,
      )
    : new Refused(
        'trailing-text',
        'the text after the port is no known annotation: write a login as host:port:user:pass, or name the form with --format',
        at,
      );
}
