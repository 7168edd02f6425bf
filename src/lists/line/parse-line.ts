import { isPrivateHost } from '../../model/private-host.ts';
import { invalidInput } from '../../model/validation.ts';
import {
  assertParseOptions,
  LINE_FORMS,
  type LineForm,
  type ListFormat,
  type ParseOptions,
} from '../options.ts';
import { assertBracketed, type Piece } from '../parts/address.ts';
import { assertCredentials } from '../parts/credentials.ts';
import { Refused, refused, verdictOf, verdictsOf } from '../parts/refused.ts';
import { requireScheme, type Scheme, schemesOfLine, unnamedScheme } from '../parts/scheme.ts';
import { placeholdersOf } from '../parts/template.ts';
import { decodePercent } from '../parts/url.ts';
import { kindOf } from '../source.ts';
import type { LineVerdict, ListedProxy } from '../verdicts.ts';
import { unquote, unwrap, withoutInvisible } from './around.ts';
import { assertCertain } from './certain-login.ts';
import { type Columns, readCells, readSeparated, separatorOf } from './columns.ts';
import { type Reading, type ReadingOptions, readForms, readPlain } from './forms.ts';
import { readLink } from './links.ts';
import { readPlainLine } from './plain-line.ts';
import { readSeveral } from './several.ts';
import { readTail } from './tail.ts';

/** What begins a comment; the number of a proxy, as in `#1 192.0.2.1:80`, does not. */
const COMMENT = /^(?:#(?!\d{1,5}[.):]?\s+\S+[:.]\d)|;|\/\/)/;
/** An address without a login, as most lines of free lists have it. */
const ENDPOINT = /^\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}$/;

/**
 * Reads one line: a proxy in any of the forms of docs/formats.md, a comment or nothing. Nothing is guessed: an ambiguous
 * line is rejected, and so is one with several proxies, which only `parseProxyList` reads. Cost is linear in the length.
 *
 * @throws INVALID_INPUT for what is no text, and for an option outside its range.
 * @example
 * const verdict = parseProxyLine('socks5h://me:p%40ss@h.example:1080');
 * if (verdict.kind === 'proxy') console.log(verdict.proxy.password); // p@ss
 * if (verdict.kind === 'refused') console.log(verdict.column, verdict.reason);
 */
export function parseProxyLine(line: string, options: ParseOptions = {}): LineVerdict {
  if (typeof line !== 'string') throw invalidInput(`A line must be a text; this is ${kindOf(line)}.`);
  assertParseOptions(options);
  const [verdict, ...others] = readProxyLine(line, options);
  if (verdict && others.length === 0) return verdict;
  return refused('ambiguous', 'the line has several proxies: import it as a list, or give each a line');
}

/** The verdicts on one line: several if it has several proxies, or one that speaks several protocols. */
export function readProxyLine(line: string, options: ParseOptions = {}): LineVerdict[] {
  const plain = readPlainLine(line, options);
  if (plain) return [acceptProxy(plain, [])];
  const visible = withoutInvisible(line);
  const text = visible.trim();
  if (text === '') return [{ kind: 'blank' }];
  if (COMMENT.test(text)) return [{ kind: 'comment' }];
  const read = (one: string, asked: ParseOptions): LineVerdict[] => readOne({ text: one, at: 0 }, asked);
  const verdicts = readOne({ text, at: line.indexOf(text[0] ?? '') }, options);
  const several = formOf(options.format) === undefined ? readSeveral(text, options, read) : null;
  if (several && verdicts.some(isSeparated))
    return [refused('ambiguous', 'this reads as one proxy, and as several')];
  const found = several ?? verdicts;
  // An invisible character inside a login may be a part of it.
  const hasLogin = found.some((each) => each.kind === 'proxy' && each.proxy.username !== undefined);
  if (line.includes(text) || !hasLogin) return found;
  return [refused('ambiguous', 'an invisible character stands inside the line: remove it')];
}

/** The verdict on the cells of a proxy without a header. */
export function readUnnamedCells(cells: readonly string[], options: ParseOptions = {}): LineVerdict[] {
  return verdictsOf(() => accept(readCells(cells), null, options));
}

/** The verdict on a proxy that was read: what is worth a note, or the rejection of its login. */
export function acceptProxy(proxy: ListedProxy, notes: readonly (string | undefined)[]): LineVerdict {
  assertCredentials(proxy);
  const privateNote = isPrivateHost(proxy.host) ? 'the address is private or of this machine' : undefined;
  const all = [...notes, loginNote(proxy), privateNote, templateNote(proxy)];
  return { kind: 'proxy', proxy, notes: all.filter((note) => note !== undefined) };
}

function readOne(line: Piece, options: ParseOptions): LineVerdict[] {
  return verdictsOf(() => {
    const link = readLink(line);
    if (link !== null) return [acceptProxy(link, [])];
    const form = formOf(options.format);
    const { rest, schemes } = form === undefined ? unwrap(line) : { rest: unquote(line), schemes: [] };
    const [prefix = '', name] = /^(?:([a-z][a-z\d+.-]*):\/\/)/i.exec(rest.text) ?? [];
    const scheme = name === undefined ? null : requireScheme(name, rest.at);
    const body = { text: rest.text.slice(prefix.length), at: rest.at + prefix.length };
    const explicit = schemesOfLine(scheme && [scheme], schemes);
    return accept(readRest(body, { isUrl: scheme !== null, form }), explicit, options);
  });
}

function accept(
  { schemes, note, ...proxy }: Columns,
  explicit: readonly Scheme[] | null,
  options: ParseOptions,
): LineVerdict[] {
  const all = schemesOfLine(explicit, schemes) ?? [unnamedScheme(options)];
  return all.map(({ note: schemeNote, ...named }) =>
    verdictOf(() => acceptProxy({ ...named, ...proxy }, [schemeNote, note])),
  );
}

function readRest(rest: Piece, how: ReadingOptions): Columns {
  assertBracketed(rest);
  const blank = how.form === undefined ? rest.text.search(/\s/) : -1;
  const head = blank === -1 ? rest : { ...rest, text: rest.text.slice(0, blank) };
  if (ENDPOINT.test(head.text)) return finish(readPlain(head), rest, how);
  const reading = readForms(head, how);
  if (reading === null) {
    const separator = separatorOf(rest.text);
    if (separator !== null) return readSeparated(rest, separator);
  }
  return finish(reading ?? readPlain(rest), rest, how);
}

function finish({ host, port, ...read }: Reading, rest: Piece, { isUrl, form }: ReadingOptions): Columns {
  const { username, password, loginAt, end } = read;
  const tail = { text: rest.text.slice(end), at: rest.at + end };
  if (read.form === 'host:port') return { host, port, schemes: [], ...readTail(tail, 'address', isUrl) };
  const at = rest.at + loginAt;
  if (username === '' && password === '')
    throw new Refused('bad-credentials', 'there is neither a username nor a password', at);
  if (`${username}:${password}`.includes('://')) throw new Refused('ambiguous', 'a URL is in the login', at);
  const isFirst = read.form.startsWith('user');
  const said = readTail(tail, isFirst ? 'login' : 'password', isUrl);
  if (form === undefined) assertCertain({ form: read.form, username, password, isUrl, tail: tail.text }, at);
  const decode =
    isUrl && read.form === 'user:pass@host:port' ? decodePercent : (text: string): string => text;
  return { host, port, username: decode(username), password: decode(password), schemes: [], ...said };
}

/** The form that a format names, if it names one. */
function formOf(format: ListFormat | undefined): LineForm | undefined {
  if (format === 'colon') return 'host:port:user:pass';
  return LINE_FORMS.find((form) => form === format);
}

/** Whether a separator of proxies is in the login. */
function isSeparated(verdict: LineVerdict): boolean {
  return verdict.kind === 'proxy' && /[\s,;|]/.test(`${verdict.proxy.username}${verdict.proxy.password}`);
}

/** What is worth knowing of a login of which one half is missing. */
export function loginNote({ username, password }: ListedProxy): string | undefined {
  if (username === '' && password !== '') return 'a password stands without a username';
  return username !== undefined && password === '' ? 'a username stands without a password' : undefined;
}

function templateNote({ username = '', password = '' }: ListedProxy): string | undefined {
  const names = placeholdersOf({ username, password });
  return names.length === 0
    ? undefined
    : `the login is a template: ${names.map((name) => `{${name}}`).join(', ')}`;
}
