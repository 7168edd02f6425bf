import { isPrivateHost } from '../network/private.ts';
import { assertBracketed, type Piece } from './address.ts';
import { readSeparated, separatorOf } from './columns.ts';
import { assertCredentials } from './credentials.ts';
import { readLink } from './links.ts';
import { requireScheme, type Scheme } from './protocol.ts';
import { readForms, readPlain } from './readings.ts';
import { verdictOf } from './refused.ts';
import { placeholdersOf } from './template.ts';
import {
  LINE_FORMS,
  type LineForm,
  type LineVerdict,
  type ListedProtocol,
  type ListedProxy,
  type ListFormat,
  type ParseOptions,
} from './types.ts';

/**
 * Reads one line: a proxy in any of the forms of docs/formats.md, a comment or nothing. Nothing is guessed: what reads two
 * ways is refused. Cost is linear in the length.
 */
export function parseProxyLine(line: string, options: ParseOptions = {}): LineVerdict {
  const text = line.replace(/^\uFEFF/, '').trim();
  if (text === '') return { kind: 'blank' };
  if (/^(?:#|;|\/\/)/.test(text)) return { kind: 'comment' };
  return verdictOf(() => readLine({ text, at: line.indexOf(text) }, options));
}

/** The verdicts on one line: several if it has several proxies, or one that speaks several protocols. */
export function readProxyLine(line: string, options: ParseOptions = {}): LineVerdict[] {
  return [parseProxyLine(line, options)];
}

/** The verdict on a proxy that was read: what is worth a note, or a refusal of its login. */
export function acceptProxy(proxy: ListedProxy, notes: readonly (string | undefined)[]): LineVerdict {
  assertCredentials(proxy);
  const all = [...notes, privateNote(proxy), templateNote(proxy)].filter((note) => note !== undefined);
  return { kind: 'proxy', proxy, notes: all };
}

/** The form that a format stands for, if it settles one. */
function formOf(format: ListFormat | undefined): LineForm | undefined {
  if (format === 'colon') return 'host:port:user:pass';
  return LINE_FORMS.find((form) => form === format);
}

function readLine(line: Piece, { protocol, format }: ParseOptions): LineVerdict {
  const link = readLink(line);
  if (link !== null) {
    const { note, ...proxy } = link;
    return acceptProxy(proxy, [note]);
  }
  const [prefix = '', url, parenthesised] =
    /^(?:([a-z][a-z\d+.-]*):\/\/|\(([a-z\d]+)\)\s*)/i.exec(line.text) ?? [];
  const name = url ?? parenthesised;
  const scheme = name === undefined ? null : requireScheme(name, line.at);
  const rest = { text: line.text.slice(prefix.length), at: line.at + prefix.length };
  const { note, ...read } = readRest(rest, url !== undefined, formOf(format));
  const { scheme: column, ...proxy } = read;
  const { note: schemeNote, ...named } = scheme ?? schemeOfColumn(column, protocol);
  return acceptProxy({ ...named, ...proxy }, [schemeNote, note]);
}

type Rest = Omit<ListedProxy, 'protocol'> & { note?: string; scheme?: string };

function readRest(rest: Piece, isUrl: boolean, form: LineForm | undefined): Rest {
  assertBracketed(rest);
  const reading = readForms(rest, { isUrl, form });
  if (reading === null) {
    const separator = separatorOf(rest.text);
    if (separator !== null) return readSeparated(rest, separator);
  }
  const { form: _, isSure: __, ...proxy } = reading ?? readPlain(rest);
  return proxy;
}

function schemeOfColumn(column: string | undefined, fallback: ListedProtocol = 'http'): Scheme {
  return column === undefined ? { protocol: fallback } : requireScheme(column);
}

function privateNote({ host }: ListedProxy): string | undefined {
  return isPrivateHost(host) ? 'the address is private or of this machine' : undefined;
}

function templateNote({ username = '', password = '' }: ListedProxy): string | undefined {
  const names = placeholdersOf({ username, password });
  return names.length === 0
    ? undefined
    : `the login is a template: ${names.map((name) => `{${name}}`).join(', ')}`;
}
