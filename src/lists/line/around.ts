import type { Piece } from '../parts/address.ts';
import { Refused } from '../parts/refused.ts';
import { isUnsupported, requireSchemes, type Scheme } from '../parts/scheme.ts';
import { PROTOCOL } from './annotation.ts';

/** Soft hyphen, zero-width characters, marks of direction, byte order mark. */
const INVISIBLE = /[\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/g;
/** `- `, `* `, `12. `, `12) `, `12 `, `> `, `| `. */
const BULLET = /^(?:[-*+\u00B7\u2022\u2023>|]+|[([]?\d{1,7}[.):\]]*)\s+/u;
/** `export HTTP_PROXY=`, `$env:https_proxy = `, `--proxy-server=`, `"proxy": `, `Proxy 1: `, `Proxy #2 - `. */
const ASSIGNMENT =
  /^(?:(?:export|set|setx|env|ENV)\s+|\$env:|--?)?["']?([\w.-]{1,48})["']?(?:\s?#?\d{1,7})?(?:\s*(?:=>|:=|=)\s*|\s*:\s+|\s+-\s+|\s+(?=["']))/;
/** `socks5 `, `(SOCKS5) `, `[http]`, `socks5: `, `SOCKS5 | `. */
const LABEL = new RegExp(
  String.raw`^["']?([([<]?)(${PROTOCOL})([)\]>]?)["']?(?:\s*[:|,;=-]\s+|\s+|(?<=[)\]>]))(?!$)`,
  'i',
);
/** The name of a proxy, and not of the hosts without a proxy, or of a part of its login. */
const PROXY_NAME =
  /^(?!.*(?:^|[_.-])non?[_-]?prox)(?!.*(?:bypass|exclu|except|ignor|skip|overrid|user|pass|pwd|auth|login)).*prox(?:y|ies)/i;
const CURL =
  /^\$?\s*curl\s+(?:-[sSkLvIgf46]+\s+|--(?:silent|show-error|insecure|location|verbose|fail)\s+)*(-x\s*|--proxy[\s=]+|--(socks4a?|socks5)(?:-hostname)?[\s=]+)(\S+)(?:\s+(["']?)https?:\/\/[^\s"']+\4)?$/i;
/** A scheme or an IPv4 address, as most lines begin: then there is no word before it. */
const BEGINS = /^(?:\d{1,3}\.\d{1,3}\.\d|[a-z][a-z\d+.-]{1,15}:\/\/)/i;
/** The name of a variable, such as `https_proxy`. */
const VARIABLE = /[_-]prox/i;
const URL_BEGIN = /^["'\s]*[a-z][a-z\d+.-]*:\/\//i;
const QUOTES: ReadonlyMap<string, string> = new Map([...'"\'`'].map((quote) => [quote, quote])).set('<', '>');
/** Of words before words; more of them are no list. */
const MOST_WORDS = 4;

/** Takes away characters that nobody sees, except from a `#name`, where they join letters and emoji. */
export function withoutInvisible(text: string): string {
  if (!/[^\x20-\x7E]/.test(text)) return text;
  const hash = text.indexOf('#');
  return hash === -1
    ? text.replace(INVISIBLE, '')
    : text.slice(0, hash).replace(INVISIBLE, '') + text.slice(hash);
}

/**
 * Takes away quotes, the mark of a list item, `HTTP_PROXY=`, `curl -x` and protocols before the proxy, which it gives.
 * @throws Refused (ambiguous, unknown-scheme) if a word names a protocol or a login that is not read.
 */
export function unwrap(line: Piece): { rest: Piece; schemes: readonly Scheme[] } {
  if (BEGINS.test(line.text)) return { rest: line, schemes: [] };
  let rest = unquote(line);
  // Two numbers may be a login.
  if (/^\d+\s+\d+\s+\S*:/.test(rest.text)) return { rest, schemes: [] };
  const schemes: Scheme[] = [];
  for (let words = 0; words < MOST_WORDS; words++) {
    const next = unwrapOnce(rest, schemes);
    if (next === null) break;
    rest = unquote(next);
  }
  return { rest, schemes };
}

function unwrapOnce({ text, at }: Piece, schemes: Scheme[]): Piece | null {
  const after = (length: number): Piece => ({ text: text.slice(length), at: at + length });
  const bullet = BULLET.exec(text)?.[0];
  if (bullet !== undefined) return after(bullet.length);
  const [label, open = '', protocol = '', close = ''] = LABEL.exec(text) ?? [];
  const isLabel = label !== undefined && (open === '') === (close === '');
  // Prose begins so too.
  if (isLabel && /\d/.test(text.slice(label.length)) && !VARIABLE.test(protocol)) {
    const rest = after(label.length);
    // `"https": "http://…"` names the traffic, as a variable does.
    const isTraffic = /^https?$/i.test(protocol) && /[:=]\s+$/.test(label) && URL_BEGIN.test(rest.text);
    if (!isTraffic) schemes.push(...requireSchemes(protocol, at));
    return rest;
  }
  const [parenthesised, word = ''] = /^\(([a-z][a-z\d+.-]{1,15})\)\s*(?=\S*\d)/i.exec(text) ?? [];
  if (parenthesised !== undefined) requireSchemes(word, at);
  const [curl, option = '', version, proxy = ''] = CURL.exec(text) ?? [];
  if (curl !== undefined) {
    if (version !== undefined) schemes.push(...requireSchemes(version, at));
    const begin = text.indexOf(option) + option.length;
    return { text: proxy, at: at + begin };
  }
  const [assignment, name = ''] = ASSIGNMENT.exec(text) ?? [];
  if (assignment === undefined || !PROXY_NAME.test(name)) return null;
  const rest = after(assignment.length);
  readName(name, rest, schemes);
  return rest;
}

/** `SOCKS5_PROXY` names the protocol, `HTTPS_PROXY` the traffic. */
function readName(name: string, rest: Piece, schemes: Scheme[]): void {
  const [, kind = ''] = /^([a-z\d]+?)[_.-]?prox/i.exec(name) ?? [];
  const [word = isUnsupported(kind) ? kind : undefined] = /socks_?(?:v?[45][ah]?)?/i.exec(name) ?? [];
  const isUrl = URL_BEGIN.test(rest.text);
  // A URL says the version.
  if (isUrl && (word === undefined || /^socks_?$/i.test(word))) return;
  if (word !== undefined) schemes.push(...requireSchemes(word.replace('_', ''), rest.at));
  else if (/https/i.test(name))
    throw new Refused(
      'ambiguous',
      'a variable such as HTTPS_PROXY names the traffic and not the protocol of the proxy: write a URL',
      rest.at,
    );
}

/** Without quotes or angle brackets around all of it, and without blanks. */
export function unquote({ text, at }: Piece): Piece {
  const trimmed = text.trim();
  const begin = text.indexOf(trimmed);
  const close = QUOTES.get(trimmed[0] ?? '') ?? '\n';
  const end = /["'`>]\s*[,;]?$/.exec(trimmed);
  const inner = trimmed.slice(1, end?.index ?? 0);
  const isQuoted = end !== null && end.index > 0 && trimmed[end.index] === close && !inner.includes(close);
  return isQuoted ? unquote({ text: inner, at: at + begin + 1 }) : { text: trimmed, at: at + begin };
}
